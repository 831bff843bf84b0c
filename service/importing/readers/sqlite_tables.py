"""Reading a SQLite database that may be in use, without writing to it or next to it."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.importing.file_head import NO_FIT, FileHead, Fit
from service.importing.readers.tables import Row, Table, quoted
from service.importing.source import SourceError

WAIT_SECONDS = 30
# https://www.sqlite.org/fileformat.html: these bytes of a file tell whether it has a write-ahead log.
_HEADER_LENGTH, _VERSIONS = 100, slice(18, 20)
_WITH_LOG = b"\x02\x02"
_MAGIC = b"SQLite format 3\0"
_COMPANIONS = ("-wal", "-shm", "-journal")


def fits_sqlite(head: FileHead) -> Fit:
    """Return whether a file is a SQLite database."""
    return Fit(1.0, "an SQLite database, as Open WebUI has it") if head.content.startswith(_MAGIC) else NO_FIT


class SqliteTables:
    """A private copy of some tables as they were at one moment, after which the users of the database need not wait.

    The copy is a temporary database of SQLite: on disk beyond a few megabytes, without a name, and deleted with the
    connection.
    """

    def __init__(self, path: str, tables: Sequence[Table]) -> None:
        self.name = path
        self._present: dict[str, frozenset[str]] = {}
        file = Path(path)
        if not file.is_file():
            raise SourceError(f"{path}: {'is not a file' if file.exists() else 'No such file or directory'}")
        self._connection = sqlite3.connect("", timeout=WAIT_SECONDS, isolation_level=None, uri=True)
        self._connection.text_factory = _text
        try:
            self._copy(file.resolve(), tables)
        except OSError as error:
            self.close()
            raise SourceError(f"{path}: {error.strerror}") from None
        except sqlite3.Error as error:
            self.close()
            raise self._unreadable(error) from None
        except SourceError:
            self.close()
            raise

    def present(self, table: Table) -> frozenset[str]:
        """Return the names of all columns of a table, as the original has them."""
        return self._present.get(table.name, frozenset())

    def rows(self, query: str, names: Sequence[str], parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield the rows of a query."""
        try:
            for row in self._connection.execute(query, parameters):
                yield dict(zip(names, row, strict=True))
        except sqlite3.Error as error:
            raise self._unreadable(error) from None

    def close(self) -> None:
        """Delete the copy."""
        self._connection.close()

    def _unreadable(self, error: sqlite3.Error) -> SourceError:
        return SourceError(f"{self.name}: can't be read: {error}")

    def _copy(self, file: Path, tables: Sequence[Table]) -> None:
        # The schema of a database can call functions; none of them is needed here.
        self._connection.execute("PRAGMA trusted_schema = OFF")
        if not _log_is_missing(file):
            try:
                # Without `readonly_shm`, SQLite would write to the index of the log while reading.
                self._copy_tables(f"{file.as_uri()}?mode=ro&readonly_shm=1", tables)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                    raise
        # In this state SQLite writes next to the file before it reads it, so it gets a copy of the files.
        with _copied(file) as copy:
            self._copy_tables(f"{copy.as_uri()}?mode=rw", tables)

    def _copy_tables(self, uri: str, tables: Sequence[Table]) -> None:
        self._connection.execute("ATTACH ? AS old", (uri,))
        try:
            self._connection.execute("BEGIN")
            for table in tables:
                self._copy_table(table)
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._connection.execute("DETACH old")

    def _copy_table(self, table: Table) -> None:
        # A view could compute without end.
        found = "SELECT 1 FROM old.sqlite_master WHERE type = 'table' AND name = ?"
        if self._connection.execute(found, (table.name,)).fetchone() is None:
            return
        info = self._connection.execute("SELECT name FROM pragma_table_info(?, 'old')", (table.name,))
        self._present[table.name] = frozenset(name for (name,) in info)
        columns = quoted(*table.columns(self._present[table.name]))
        name = quoted(table.name)
        self._connection.execute(f"CREATE TABLE main.{name} AS SELECT {columns} FROM old.{name}")  # noqa: S608
        if table.looked_up_by:
            index, column = quoted(f"{table.name} by key"), quoted(table.looked_up_by)
            self._connection.execute(f"CREATE INDEX main.{index} ON {name} ({column})")


def _text(stored: bytes) -> str:
    # The check of the record refuses text that is not UTF-8, and its message names the field.
    return stored.decode("utf-8", "surrogateescape")


def _log_is_missing(file: Path) -> bool:
    """Return whether a database should have a log and has none: SQLite would create one next to it."""
    with file.open("rb") as opened:
        header = opened.read(_HEADER_LENGTH)
    return header[_VERSIONS] == _WITH_LOG and not all(_companion(file, end).exists() for end in ("-wal", "-shm"))


def _companion(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


@contextmanager
def _copied(file: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="modeldeck-") as folder:
        copy = Path(folder, "copy.db")
        before = _state(file)
        for ending in ("", "-wal", "-journal"):
            if _companion(file, ending).exists():
                shutil.copyfile(_companion(file, ending), _companion(copy, ending))
        if _state(file) != before:
            raise SourceError(f"{file}: is being changed; try again")
        yield copy


def _state(file: Path) -> list[tuple[int, int] | None]:
    """Return values that differ when the database was written to."""
    found: list[tuple[int, int] | None] = []
    for path in (file, *(_companion(file, ending) for ending in _COMPANIONS)):
        try:
            stat = path.stat()
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((stat.st_size, stat.st_mtime_ns))
    return found
