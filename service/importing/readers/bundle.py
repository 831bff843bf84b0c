"""Reader of the format `modeldeck`: a bundle as one JSON object, or as JSON lines with `"kind"`."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

from documents.grant import AccessGrant
from service.errors import MAX_ERRORS
from service.importing.file_head import NO_FIT, FileHead, Fit, share_of
from service.importing.json_scanner import CHUNK_CHARACTERS, DECODER, JsonScanner, Tally
from service.importing.readers.openwebui_kinds import export_evidence, kind_of
from service.importing.readers.redact import safe_name
from service.importing.readers.secret_texts import looks_secret
from service.importing.records import MAX_GRANTS, ImportedGroup, ImportedModel, ImportedUser
from service.importing.source import UNREADABLE, Bounds, Item, Source, SourceError

PARTS = {"users": "user", "groups": "group", "models": "model"}
UNKNOWN = "unknown"
# A field of any other name is refused, and the message names it.
_FIELDS = {name for kind in (ImportedUser, ImportedGroup, ImportedModel, AccessGrant) for name in kind.model_fields}
# A first line that is longer than any record is a whole bundle, too large to be decoded at once.
MAX_LINE_OF_RECORD = 1 << 22
_LINE_END = re.compile(r"[\r\n]")


def fits_bundle(head: FileHead) -> Fit:
    """Return how well a file fits: lines of a known kind, or an object with nothing but lists of such records."""
    kind = head.members.get("kind")
    if kind in PARTS.values():
        return Fit(1.0, f"JSON whose first line is of the kind {kind}: a bundle")
    parts = [name for name in PARTS if isinstance(head.members.get(name), list)]
    if not parts:
        return NO_FIT
    found = f"a JSON object of {', '.join(parts)}: a bundle"
    others = len(head.members) - len(parts)
    if others >= len(parts):
        return Fit(0.4, f"{found}, but with other parts too")
    records = [record for part in parts for record in head.listed(part)]
    if any(part != "models" for part in parts) or not records:
        return Fit(1.0, found)
    if any(map(export_evidence, records)):
        return NO_FIT
    share = share_of(records, _may_be_model)
    return Fit(share, found if share == 1 else f"{share:.0%} of the first models are such: a bundle")


def _may_be_model(record: Any) -> bool:
    # What has a name or a key, and no id, is a model of another system, and so is what says that it is a model.
    if not isinstance(record, dict) or "object" in record:
        return False
    return ("id" in record or not {"name", "key"} & set(record)) and kind_of(record) in ("model", None)


def read_bundle(source: Source) -> Iterator[Item]:
    """Yield every record of a bundle in the order of the file, with its position (`models[3]` or `line 4`).

    A line or an element that is no record becomes an Item with a problem. Raises SourceError when the rest of the
    file can't be read.
    """
    with source.text() as text:
        first = _first_line(text)
    if first is None or _is_record(first):
        with source.text() as text:
            yield from _lines(text, source.bounds)
    else:
        with source.text() as text:
            yield from _parts(JsonScanner(text, source.bounds))


def _first_line(text: IO[str]) -> str | None:
    """Return the first line that is not blank, or the beginning of it; None when there is none."""
    begun = ""
    try:
        # Not line by line: a file can have very many blank ones.
        while not begun and (read := text.read(CHUNK_CHARACTERS)):
            begun = read.lstrip()
        rest = "" if _LINE_END.search(begun) else text.readline(MAX_LINE_OF_RECORD)
    except UNREADABLE as error:
        raise SourceError(f"can't be read: {error}") from None
    return _LINE_END.split(begun + rest, maxsplit=1)[0] or None


def _is_record(line: str) -> bool:
    try:
        value = DECODER.decode(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "kind" in value


def _lines(text: IO[str], bounds: Bounds) -> Iterator[Item]:
    number, longest, tally = 0, bounds.value_characters, Tally(bounds)
    while True:
        number += 1
        try:
            line = text.readline(longest)
        except UNREADABLE as error:
            raise SourceError(f"line {number}: can't be read: {error}") from None
        if not line:
            return
        if len(line) == longest:
            raise SourceError(f"line {number}: longer than {longest:,} characters")
        if problem := tally.one_more("lines") or tally.decoded(line, 0, len(line)):
            raise SourceError(f"line {number}: {problem}")
        if line.strip():
            yield _line_item(line, f"line {number}")


def _line_item(line: str, position: str) -> Item:
    try:
        value = DECODER.decode(line)
    except RecursionError:
        return Item(UNKNOWN, position, problem="nested too deeply")
    except ValueError as error:
        return Item(UNKNOWN, position, problem=f"not valid JSON: {error}")
    if not isinstance(value, dict):
        return Item(UNKNOWN, position, problem="must be a JSON object")
    kind = value.pop("kind", None)
    if kind not in PARTS.values():
        return Item(UNKNOWN, position, value, f"kind: must be one of {', '.join(PARTS.values())}")
    return _record(kind, position, value)


def _record(kind: str, position: str, value: Any) -> Item:
    grants = value.get("access_grants") if isinstance(value, dict) else None
    held = [value, *(grants[:MAX_GRANTS] if isinstance(grants, list) else [])]
    names = (name for one in held if isinstance(one, dict) for name in one if name not in _FIELDS)
    if any(map(looks_secret, islice(names, MAX_ERRORS))):
        return Item(kind, position, {"id": value.get("id")}, "the name of a field is or may be a secret")
    return Item(kind, position, value)


def _parts(scanner: JsonScanner) -> Iterator[Item]:
    if scanner.peek() != "{":
        raise scanner.error(f"a bundle is a JSON object with {', '.join(PARTS)}, or JSON lines with a kind")
    seen: set[str] = set()
    for part in scanner.members():
        if part in seen:
            raise scanner.error(f"the part {safe_name(part)} is given twice")
        seen.add(part)
        if part in PARTS and scanner.peek() == "[":
            for number, value in enumerate(scanner.elements()):
                yield _record(PARTS[part], f"{part}[{number}]", value)
        else:
            scanner.value()
            problem = "must be a list" if part in PARTS else f"unknown part; the known ones are {', '.join(PARTS)}"
            yield Item(UNKNOWN, safe_name(part), problem=problem)
    scanner.end("the bundle")
