"""Reader of the format `litellm`: the models of a LiteLLM proxy, by its configuration or answers, without secrets."""

import json
from collections import Counter
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
from service.importing.source import Item, Source, SourceError
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
        notes = tuple(f"{safe_name(name)}: left out; only {found.path} is read" for name in found.beside)
        for item in (*entries.items(found), *_included(source, found, entries)):
            yield replace(item, notes=notes + item.notes)
            notes = ()


class _Entries:
    """Turns the entries of all lists of a source into items: equal ones become one, and similar ones are numbered."""

    def __init__(self) -> None:
        self._first_at: dict[bytes, Item] = {}
        self._similar: Counter[tuple[str, ...]] = Counter()

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
        if first := self._first_at.get(digest):
            note = f"equals {first.position} apart from secrets; both are one model"
            return Item("note", position, {"id": first.value["id"]}, notes=(*notes, note))
        self._first_at[digest] = item = _identified(position, model, self._number(model), notes)
        return item

    def _number(self, model: Model) -> int:
        if model.given_id is not None:
            return 0
        self._similar[model.identity] += 1
        return self._similar[model.identity] - 1


def _digest(kept: dict[str, Any]) -> bytes:
    return blake2b(json.dumps(kept, sort_keys=True).encode(), digest_size=16).digest()


def _identified(position: str, model: Model, number: int, notes: tuple[str, ...]) -> Item:
    return Item(
        "model",
        position,
        {"id": model.id(number), **model.value},
        notes=(*notes, *model.notes),
        kept_out=model.kept_out,
        group_names=model.group_names,
        former_id=model.former_id,
    )


def _included(source: Source, found: ModelList, entries: _Entries) -> Iterator[Item]:
    """Yield the items of the files that a list includes, or a problem for each that is not read.

    As in the proxy, an included file includes no others.
    """
    for name in found.includes[:MAX_INCLUDED]:
        where = f"include {safe_name(name)}"
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
