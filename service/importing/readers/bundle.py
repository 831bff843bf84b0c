"""Reader of the format `modeldeck`: a bundle as one JSON object, or as JSON lines with `"kind"`."""

from collections.abc import Iterator
from typing import IO

from service.importing.source import DECODER, UNREADABLE, Item, JsonScanner, Source, SourceError

PARTS = {"users": "user", "groups": "group", "models": "model"}
UNKNOWN = "unknown"
# A first line that is longer than any record is a whole bundle, too large to be decoded at once.
MAX_LINE_OF_RECORD = 1 << 22


def read_bundle(source: Source) -> Iterator[Item]:
    """Yield every record of a bundle in the order of the file, with its position (`models[3]` or `line 4`).

    A line or an element that is no record becomes an Item with a problem. Raises SourceError when the rest of the
    file can't be read.
    """
    with source.text() as text:
        first = _first_line(text)
    if first is None or _is_record(first):
        with source.text() as text:
            yield from _lines(text, source.longest_value)
    else:
        with source.text() as text:
            yield from _parts(JsonScanner(text, source.longest_value))


def _first_line(text: IO[str]) -> str | None:
    try:
        while line := text.readline(MAX_LINE_OF_RECORD):
            if line.strip():
                return line
    except UNREADABLE as error:
        raise SourceError(f"can't be read: {error}") from None
    return None


def _is_record(line: str) -> bool:
    try:
        value = DECODER.decode(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "kind" in value


def _lines(text: IO[str], longest: int) -> Iterator[Item]:
    number = 0
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
    return Item(kind, position, value)


def _parts(scanner: JsonScanner) -> Iterator[Item]:
    if scanner.peek() != "{":
        raise scanner.error(f"a bundle is a JSON object with {', '.join(PARTS)}, or JSON lines with a kind")
    seen: set[str] = set()
    for part in scanner.members():
        if part in seen:
            raise scanner.error(f"the part {part[:100]} is given twice")
        seen.add(part)
        if part in PARTS and scanner.peek() == "[":
            for number, value in enumerate(scanner.elements()):
                yield Item(PARTS[part], f"{part}[{number}]", value)
        else:
            scanner.value()
            problem = "must be a list" if part in PARTS else f"unknown part; the known ones are {', '.join(PARTS)}"
            yield Item(UNKNOWN, part[:100], problem=problem)
    scanner.end("the bundle")
