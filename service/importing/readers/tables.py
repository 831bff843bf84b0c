"""The tables of another system's SQL database as they were at one moment, in any dialect."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar

from documents.text import text_problem
from service.importing.source import SourceError

# So many values are looked up at once: far fewer than the parameters that any database allows.
BATCH = 200

T = TypeVar("T")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """What is read of a table: the columns that it must have if it exists, and those that it may have."""

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
    """A database at one moment, with a name for messages. Every method raises SourceError when it can't be read."""

    name: str

    def present(self, table: Table) -> frozenset[str]:
        """Return the names of all columns of a table; none when there is no such table."""

    def rows(self, query: str, names: Sequence[str], parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield the rows of a query, in which `?` stands for a parameter, without holding all of them in memory."""

    def close(self) -> None:
        """Close the database."""


def quoted(*names: str) -> str:
    """Return names of tables or columns in quotes, since they may be reserved words of SQL."""
    return ", ".join(f'"{name}"' for name in names)


def read(tables: Tables, table: Table, *order: str) -> Iterator[Row]:
    """Yield the rows of a table, sorted by these columns; optional columns that it does not have are missing."""
    if present := tables.present(table):
        columns = table.columns(present)
        # Only names from this code are put into the text of a query.
        query = f"SELECT {quoted(*columns)} FROM {quoted(table.name)} ORDER BY {quoted(*order)}"  # noqa: S608
        yield from tables.rows(query, columns)


def look_up(tables: Tables, table: Table, values: Sequence[Any]) -> Iterator[Row]:
    """Yield the rows of a table that belong to one of at most `BATCH` values."""
    # Other values are in no row that can be imported, and some can't be parameters of a query.
    values = [value for value in values if isinstance(value, str) and not text_problem(value)]
    present = tables.present(table)
    if present and values and table.looked_up_by:
        columns = table.columns(present)
        where = f"{quoted(table.looked_up_by)} IN ({', '.join('?' * len(values))})"
        query = f"SELECT {quoted(*columns)} FROM {quoted(table.name)} WHERE {where} ORDER BY {quoted(*columns)}"  # noqa: S608
        yield from tables.rows(query, columns, values)


def batches(rows: Iterator[T]) -> Iterator[list[T]]:
    """Yield the rows in batches."""
    while batch := list(islice(rows, BATCH)):
        yield batch
