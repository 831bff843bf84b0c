"""Checks that client input reaches the database as a value, never as an operator, an expression or a field path."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Command = Mapping[str, Any]

_COMBINING = {"$and", "$or", "$nor"}
# Operators that contain further conditions on the same field.
_WITHIN = {"$elemMatch", "$not"}
_COMPARING = {"$in", "$all", "$eq"}
_ESCAPED = re.compile(r"\\.", re.DOTALL)
_SPECIAL = re.compile(r"[\\^$.|?*+()\[\]{}]")
_PLACES = {"find": ("filter",), "count": ("query",), "distinct": ("query",), "delete": (), "update": ()}
# Parts of commands in which no client input may appear.
_NEVER = ("sort", "projection", "hint", "let", "key", "fields", "$db", "collation")


def misplaced(command: Command, mark: str) -> Iterator[str]:
    """Yield the parts of a command in which the server would not take the marked text literally."""
    for place in _PLACES.get(next(iter(command)), ()):
        yield from _in_filter(command.get(place, {}), mark, place)
    yield from _in_pipeline(command.get("pipeline", ()), mark)
    for one in command.get("deletes", ()):
        yield from _in_filter(one["q"], mark, "delete")
    for one in command.get("updates", ()):
        yield from _in_filter(one["q"], mark, "update")
        yield from _in_update(one["u"], mark)
    for document in command.get("documents", ()):
        yield from (f"document: {name}" for name in document if mark in name)
    yield from (f"{name}" for name in _NEVER if mark in str(command.get(name, "")))


def _in_filter(condition: Any, mark: str, where: str) -> Iterator[str]:
    for name, value in condition.items():
        place = f"{where} > {name}"
        if mark in name:
            yield place
        elif name in _COMBINING:
            for one in value:
                yield from _in_filter(one, mark, place)
        elif name.startswith("$"):
            yield from _in_operator(name, value, mark, place)
        elif isinstance(value, Mapping):
            yield from _in_filter(value, mark, place)


def _in_operator(name: str, value: Any, mark: str, place: str) -> Iterator[str]:
    if mark not in str(value):
        return
    if name in _WITHIN and isinstance(value, Mapping):
        yield from _in_filter(value, mark, place)
    elif name == "$regex":
        if not isinstance(value, str) or _SPECIAL.search(_ESCAPED.sub("", value)):
            yield f"{place}: {value!r} is not escaped"
    # Batches continue after the last id.
    elif (name not in _COMPARING or _holds_a_document(value)) and not place.endswith("_id > $gt"):
        yield place


def _holds_a_document(value: Any) -> bool:
    return any(isinstance(one, Mapping) for one in (value if isinstance(value, list) else [value]))


def _in_pipeline(stages: Iterable[Mapping[str, Any]], mark: str) -> Iterator[str]:
    for stage in stages:
        for name, value in stage.items():
            if name == "$match":
                yield from _in_filter(value, mark, name)
            elif isinstance(value, Mapping) and "pipeline" in value:
                yield from _in_pipeline(value["pipeline"], mark)
            elif mark in str(value):
                yield f"stage {name}"


def _in_update(update: Any, mark: str) -> Iterator[str]:
    if not isinstance(update, Mapping):
        # An update with a pipeline evaluates strings as field paths.
        if mark in str(update):
            yield "update by a pipeline"
        return
    for operator, fields in update.items():
        yield from (f"update > {operator} > {name}" for name in fields if mark in name)
        if operator == "$pull":
            for name, value in fields.items():
                if isinstance(value, Mapping):
                    yield from _in_filter(value, mark, f"$pull > {name}")
