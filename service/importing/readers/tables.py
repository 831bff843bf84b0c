"""The tables of another system's database as they were at one moment, whichever dialect of SQL it speaks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar

from documents.text import text_problem
from service.importing.source import SourceError

# So many are looked up at once; far fewer than what any database takes as parameters.
BATCH = 200

T = TypeVar("T")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """What is read of a table: the columns that it must have if it is there, and those that it may have."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    looked_up_by: str | None = None

    def columns(self, present: frozenset[str]) -> tuple[str, ...]:
        """Return the columns to be read; raise SourceError when one is missing."""
        missing = [name for name in self.required if name not in present]
        if missing:
            raise SourceError(f"the table {self.name} has no column {', '.join(missing)}")
        return self.required + tuple(name for name in self.optional if name in present)


class Tables(Protocol):
    """A database at one moment, named as it may be shown. Every method raises SourceError for what can't be read."""

    shown: str

    def present(self, table: Table) -> frozenset[str]:
        """Return the names of all columns of a table; none when there is no such table."""

    def rows(self, query: str, names: Sequence[str], parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield the rows of a query, its parameters written `?`, without holding all of them."""

    def close(self) -> None:
        """Let go of the database."""


def quoted(*names: str) -> str:
    """Write names of tables or columns, which may be words of SQL."""
    return ", ".join(f'"{name}"' for name in names)


def read(tables: Tables, table: Table, *order: str) -> Iterator[Row]:
    """Yield the rows of a table in an order; a column that it does not have is in none of them."""
    if present := tables.present(table):
        columns = table.columns(present)
        # Only names that stand in this code go into the text of a query.
        query = f"SELECT {quoted(*columns)} FROM {quoted(table.name)} ORDER BY {quoted(*order)}"  # noqa: S608
        yield from tables.rows(query, columns)


def look_up(tables: Tables, table: Table, values: Sequence[Any]) -> Iterator[Row]:
    """Yield the rows of a table that belong to one of at most `BATCH` values."""
    # Others are in no row that can be taken over, and can't be asked for.
    values = [value for value in values if isinstance(value, str) and not text_problem(value)]
    present = tables.present(table)
    if present and values and table.looked_up_by:
        columns = table.columns(present)
        where = f"{quoted(table.looked_up_by)} IN ({', '.join('?' * len(values))})"
        query = f"SELECT {quoted(*columns)} FROM {quoted(table.name)} WHERE {where} ORDER BY {quoted(*columns)}"  # noqa: S608
        yield from tables.rows(query, columns, values)


def batches(rows: Iterator[T]) -> Iterator[list[T]]:
    """Yield the rows some at a time."""
    while batch := list(islice(rows, BATCH)):
        yield batch
