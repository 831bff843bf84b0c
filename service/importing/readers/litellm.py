"""Reader of the format `litellm`: the models of a LiteLLM proxy, by its configuration or answers, without secrets."""

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from documents.freeform import free_form_problem
from service.importing.file_head import MAX_YAML_VALUES, FileHead, Fit
from service.importing.parts import Entry
from service.importing.readers.litellm_entry import Model, model_of, shown_id
from service.importing.readers.litellm_lists import MODELS, ModelList, find_lists, fits_lists
from service.importing.readers.redact import safe_name, without_secrets
from service.importing.source import NOTE, Item, Sibling, Source, SourceError
from service.importing.whole_file import read_parts

FILE = "file"
MAX_INCLUDED = 100


def fits_litellm(head: FileHead) -> Fit:
    """Return how well a file fits: a configuration of a proxy, alone or inside another file, or one of its answers."""
    return fits_lists(head, MAX_YAML_VALUES)


def read_litellm(source: Source) -> Iterator[Item]:
    """Yield the models of a proxy, each with its position (`model_list[3] (line 40)`).

    An entry that is no model becomes an Item with a problem, and so does a file that is included and was not read.
    Raises SourceError when the file can't be read. No message, problem or note contains a secret of the file.
    """
    lists = find_lists(read_parts(source), source.bounds.yaml_values)
    if not lists:
        raise SourceError(f"there is no {MODELS} in the file")
    entries = _Entries()
    for found in lists:
        # There is no record of the file as a whole, so the first model gets the notes on it.
        beside = tuple(f"{safe_name(name)}: left out; only {found.path} is read" for name in found.beside)
        notes = (*beside, *found.notes)
        for item in (*entries.items(found), *_included(source, found, entries), *_missing_pages(found)):
            yield replace(item, notes=notes + item.notes)
            notes = ()
        if notes:
            yield Item(NOTE, found.path, notes=notes)


class _Entries:
    """Turns the entries of all lists of a source into items, and remembers which of them are equal."""

    def __init__(self) -> None:
        self._first_at: dict[bytes, str] = {}

    def items(self, found: ModelList) -> Iterator[Item]:
        """Yield an item for each entry of a list."""
        for number, part in enumerate(found.entries):
            entry = part.entry()
            position = f"{found.path}[{number}]" + (f" (line {entry.line})" if entry.line is not None else "")
            yield self._item(position, entry)

    def _item(self, position: str, entry: Entry) -> Item:
        if entry.problem is not None:
            return Item("model", position, problem=entry.problem)
        if not isinstance(entry.value, dict):
            return Item("model", position, problem="must be a mapping")
        kept, notes = without_secrets(entry.value)
        model = free_form_problem(kept) or model_of(kept, entry.value)
        if isinstance(model, str):
            return Item("model", position, {"id": shown_id(kept)}, model, notes)
        digest = _digest(kept)
        first = self._first_at.get(digest)
        if first is not None and model.given_id is not None:
            note = f"equals {first} apart from secrets; both are one model"
            return Item(NOTE, position, {"id": model.given_id}, notes=(*notes, note))
        self._first_at.setdefault(digest, position)
        return _item_of(position, model, notes, equals=first)


def _digest(kept: dict[str, Any]) -> bytes:
    return blake2b(json.dumps(kept, sort_keys=True).encode(), digest_size=16).digest()


def _item_of(position: str, model: Model, notes: tuple[str, ...], equals: str | None) -> Item:
    sibling = Sibling(model.numbered_id(0), model.numbered_id, equals) if model.given_id is None else None
    return Item(
        "model",
        position,
        {"id": model.given_id or model.numbered_id(0), **model.value},
        notes=(*notes, *model.notes),
        kept_out=model.kept_out,
        group_names=model.group_names,
        former_id=model.former_id,
        sibling=sibling,
    )


def _missing_pages(found: ModelList) -> Iterator[Item]:
    """Yield a problem for an answer that is only one of several pages."""
    if found.pages > 1:
        yield Item(FILE, found.path, problem=f"is one of {found.pages:,} pages; the others are not in the file")


def _included(source: Source, found: ModelList, entries: _Entries) -> Iterator[Item]:
    """Yield the items of the files that a list includes, or a problem for each that is not read.

    As in the proxy, an included file includes no others.
    """
    read: list[Any] = []
    for name in found.includes[:MAX_INCLUDED]:
        where = f"include {safe_name(name)}"
        if name in read:
            continue
        read.append(name)
        included = source.included(name) if isinstance(name, str) else "must be the name of a file"
        if isinstance(included, str):
            yield Item(FILE, where, problem=included)
            continue
        try:
            lists = find_lists(read_parts(included), included.bounds.yaml_values)
        except SourceError as error:
            yield Item(FILE, where, problem=error.detail)
            continue
        for one in lists:
            yield from entries.items(replace(one, path=f"{safe_name(name)}: {one.path}"))
            if one.includes:
                yield Item(FILE, where, problem="includes files itself, which the proxy does not read either")
    if len(found.includes) > MAX_INCLUDED:
        yield Item(FILE, "include", problem=f"names more than {MAX_INCLUDED} files; the others were not read")
