"""What a view is: where its rows come from, what a row and each of its columns mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Stage = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One field of the rows of a view."""

    name: str
    bson_type: str
    meaning: str
    example: Any


@dataclass(frozen=True, slots=True)
class View:
    """A read-only view: `pipeline` makes its rows of `source`, `meaning` says in one sentence what a row is.

    `fast` says which filters are answered by an index, whatever the size of the directory.
    """

    name: str
    source: str
    meaning: str
    fast: str
    columns: Sequence[Column]
    pipeline: Sequence[Stage]


def in_order(columns: Sequence[Column], **made: Any) -> Stage:
    """Return the last stage of a pipeline: all columns in their order, some of them `made` of others.

    A column that is only passed on is named as a rename of itself: a filter by it still reaches the index, and,
    unlike one that is included, it stands where it is named.
    """
    named = {column.name: made.get(column.name, f"${column.name}") for column in columns}
    return {"$project": {"_id": 0, **named}}
