"""The declaration of a view: its source, its pipeline, and the meaning of its rows and columns."""

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
    """A read-only view: `pipeline` makes its rows from `source`; `meaning` describes a row in one sentence.

    `fast` lists the filters that use an index, so that they are fast in a directory of any size.
    """

    name: str
    source: str
    meaning: str
    fast: str
    columns: Sequence[Column]
    pipeline: Sequence[Stage]


def in_order(columns: Sequence[Column], **computed: Any) -> Stage:
    """Return the last stage of a pipeline: all columns in their order, some of them `computed` by expressions.

    Other columns are written as a rename of themselves, `name: "$name"`: unlike with `name: 1`, they keep this order,
    and a filter by them can still use the index. Parts of a field, such as `keys.name`, are passed on with that field.
    """
    names = dict.fromkeys(column.name.partition(".")[0] for column in columns)
    named = {name: computed.get(name, f"${name}") for name in names}
    return {"$project": {"_id": 0, **named}}
