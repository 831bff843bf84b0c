"""A SQLite file in use is read as it is at one moment, and no file is left next to it."""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from service.importing.readers import sqlite_tables
from service.importing.readers.openwebui_db import read_openwebui_db
from service.importing.source import SourceError
from tests.support.openwebui_databases import EARLY, make_database

# Another process, since all connections of one process share its locks on a file.
SERVER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement)
print("ready", flush=True)
sys.stdin.read()
"""
RENAME = "UPDATE model SET name = 'Renamed'"
# More than SQLite's page cache, so that a change is written to the file before it is committed.
FILL = "INSERT INTO filler SELECT randomblob(2000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n\
 WHERE i < 5000) SELECT i FROM n)"


@contextmanager
def in_use(path: Path, *statements: str) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-c", SERVER, str(path), *statements]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        yield server
        server.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "an instance?#%").mkdir()
    return make_database(tmp_path / "an instance?#%" / "web ui.db", EARLY, "CREATE TABLE filler (data BLOB)")


def files_beside(path: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()}


def names(path: Path) -> list[str]:
    with read_openwebui_db(str(path)) as items:
        return [item.value["name"] for item in items() if item.kind == "model"]


def require_unchanged(path: Path, expected: str) -> None:
    before = files_beside(path)
    assert names(path) == [expected]
    assert files_beside(path) == before


def test_a_file_at_rest(path: Path) -> None:
    require_unchanged(path, "M")


def test_a_file_with_a_log_in_use_shows_what_is_committed(path: Path) -> None:
    with in_use(path, "PRAGMA journal_mode = WAL", RENAME, "BEGIN", "UPDATE model SET name = 'Not yet'"):
        before = {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()}
        assert set(before) == {path.name, f"{path.name}-wal", f"{path.name}-shm"}
        assert names(path) == ["Renamed"]
        assert {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()} == before


def test_a_file_with_a_log_at_rest(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert list(files_beside(path)) == [path.name]
    require_unchanged(path, "M")


@pytest.mark.parametrize("kept", [("-wal", "-shm"), ("-wal",)], ids=["log and index", "log"])
def test_a_file_whose_server_was_killed_with_a_log(path: Path, kept: tuple[str, ...]) -> None:
    with in_use(path, "PRAGMA journal_mode = WAL", RENAME):
        pass
    for ending in {"-wal", "-shm"} - set(kept):
        path.with_name(path.name + ending).unlink()
    assert len(files_beside(path)) == 1 + len(kept)
    require_unchanged(path, "Renamed")


def test_a_file_whose_server_was_killed_in_the_middle_of_a_change(path: Path) -> None:
    with in_use(path, "PRAGMA cache_size = 1", "BEGIN", RENAME, FILL):
        pass
    assert len(files_beside(path)) == 2
    require_unchanged(path, "M")


def test_a_file_that_is_being_changed_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_tables, "WAIT_SECONDS", 0.1)
    with in_use(path, "BEGIN EXCLUSIVE", RENAME), pytest.raises(SourceError, match="database is locked"):
        names(path)


def test_what_is_changed_later_is_not_seen_and_nobody_is_held_up(path: Path) -> None:
    with read_openwebui_db(str(path)) as items:
        first = next(item for item in items() if item.kind == "model")
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            connection.execute(RENAME)
            connection.commit()
        path.unlink()
        assert [item for item in items() if item.kind == "model"] == [first]


def test_nothing_is_left_in_the_temporary_folder(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with read_openwebui_db(str(path)) as items:
        assert list(temporary.iterdir()) == []
        assert len(list(items())) == 2


def test_a_copy_that_was_not_of_one_moment_is_not_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    copyfile = shutil.copyfile

    def changed_meanwhile(source: Path, target: Path) -> None:
        copyfile(source, target)
        Path(source).touch()

    monkeypatch.setattr(shutil, "copyfile", changed_meanwhile)
    with pytest.raises(SourceError, match="is being changed; try again"):
        names(path)


@pytest.mark.parametrize("at", [0, 18, 30, 100, 110, 4096, 5000])
def test_a_damaged_file_is_either_read_or_refused(path: Path, at: int) -> None:
    damaged = bytearray(path.read_bytes())
    damaged[at : at + 64] = b"\xff" * 64
    path.write_bytes(damaged)
    try:
        names(path)
    except SourceError as error:
        assert str(path) in error.detail


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no table model"),
        (b"{}" * 100, "file is not a database"),
        (b"SQLite format 3\0", "file is not a database"),
    ],
    ids=["empty", "JSON", "cut off"],
)
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        names(path)


def test_a_file_that_is_cut_off_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(SourceError, match="can't be read"):
        names(path)


@pytest.mark.parametrize(
    ("name", "message"), [("missing", "missing: No such file or directory"), (".", "is not a file")]
)
def test_a_path_that_is_no_file_is_named(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        names(tmp_path / name)
