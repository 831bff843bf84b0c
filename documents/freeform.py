"""Free-form JSON (`params`, `meta`): how it is written, and the check that MongoDB can store and return it exactly."""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator

from documents.text import text_problem

# MongoDB refuses documents nested more than 100 levels deep; the record around the value uses some of them.
MAX_DEPTH = 80
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


def free_form_problem(value: Any) -> str | None:
    """Return what in a decoded JSON value can't be stored exactly, and where; None if everything can.

    Iterative, so that memory grows only with the depth of the value: one list can be a body of many megabytes.
    """
    # The names of the current value's ancestors, and for each of these an iterator over the elements not yet checked.
    path: list[Any] = []
    pending: list[Iterator[tuple[Any, Any]]] = [iter([("", value)])]
    while pending:
        for name, current in pending[-1]:
            if problem := _scalar_problem(current) or _name_problem(current):
                return f"{_rendered_path((*path, name)[1:])}{problem}"
            if len(path) > MAX_DEPTH:
                return f"is nested more than {MAX_DEPTH} levels deep"
            if isinstance(current, (dict, list)) and current:
                path.append(name)
                pending.append(iter(current.items()) if isinstance(current, dict) else enumerate(current))
                break
        else:
            pending.pop()
            del path[-1:]
    return None


def _name_problem(value: Any) -> str | None:
    for name in value if isinstance(value, dict) else ():
        if not isinstance(name, str):
            return "has a name that is not text"
        if problem := text_problem(name):
            return f"has a name that {problem}"
    return None


def _scalar_problem(value: Any) -> str | None:
    # The types that are most frequent in real records come first.
    if isinstance(value, str):
        # Unlike names, values may contain NUL.
        return None if value.isascii() else text_problem(value.replace("\0", ""))
    if value is None or isinstance(value, bool | dict | list):
        return None
    if isinstance(value, int):
        return None if MIN_INTEGER <= value <= MAX_INTEGER else "is an integer beyond 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else "is not a finite number"
    return f"is not JSON ({type(value).__name__})"


def _rendered_path(path: Sequence[str | int]) -> str:
    return f"{'.'.join(map(str, path))[:200]}: " if path else ""


def _exact(value: dict[str, Any]) -> dict[str, Any]:
    if problem := free_form_problem(value):
        raise ValueError(problem)
    return value


FreeForm = Annotated[dict[str, Any], AfterValidator(_exact)]
"""A JSON object that is stored and returned exactly: key order, unknown keys, any name without NUL."""


def json_bytes(content: Any) -> bytes:
    """Write a value as JSON, as UTF-8 and on one line; what free-form fields hold is written exactly."""
    # JSON lacks a type only where a value was written past the service.
    return orjson.dumps(content, default=str)


def is_text(value: Any) -> bool:
    """Return whether a decoded JSON value is a string."""
    return isinstance(value, str)


def is_object(value: Any) -> bool:
    """Return whether a decoded JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: Any) -> bool:
    """Return whether a decoded JSON value is an array."""
    return isinstance(value, list)
