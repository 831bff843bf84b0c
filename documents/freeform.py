"""Free-form JSON (`params`, `meta`): what MongoDB can store and give back exactly."""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator

from documents.text import text_problem

# MongoDB refuses documents nested more than 100 deep; the record itself takes a few of these.
MAX_DEPTH = 80
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


def free_form_problem(value: Any) -> str | None:
    """Say what in a decoded JSON value can't be kept exactly, and where, or return None.

    Takes memory for the depth of the value only: one list can be a whole body of many megabytes.
    """
    # What stands around the current value: the names of its ancestors, and what of each is still to be looked at.
    path: list[Any] = []
    left: list[Iterator[tuple[Any, Any]]] = [iter([("", value)])]
    while left:
        for name, current in left[-1]:
            if problem := _scalar_problem(current) or _name_problem(current):
                return f"{_written((*path, name)[1:])}{problem}"
            if len(path) > MAX_DEPTH:
                return f"is nested more than {MAX_DEPTH} levels deep"
            if isinstance(current, (dict, list)) and current:
                path.append(name)
                left.append(iter(current.items()) if isinstance(current, dict) else enumerate(current))
                break
        else:
            left.pop()
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
    # Ordered by how often each kind occurs in real records.
    if isinstance(value, str):
        # NUL is kept exactly in values, unlike in names.
        return None if value.isascii() else text_problem(value.replace("\0", ""))
    if value is None or isinstance(value, bool | dict | list):
        return None
    if isinstance(value, int):
        return None if MIN_INTEGER <= value <= MAX_INTEGER else "is an integer beyond 64 bits"
    if isinstance(value, float):
        return None if math.isfinite(value) else "is not a finite number"
    return f"is not JSON ({type(value).__name__})"


def _written(path: Sequence[str | int]) -> str:
    return f"{'.'.join(map(str, path))[:200]}: " if path else ""


def _exact(value: dict[str, Any]) -> dict[str, Any]:
    if problem := free_form_problem(value):
        raise ValueError(problem)
    return value


FreeForm = Annotated[dict[str, Any], AfterValidator(_exact)]
"""A JSON object that is stored and returned exactly: key order, unknown keys, any name without NUL."""
