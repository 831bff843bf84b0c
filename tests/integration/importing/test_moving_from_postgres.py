"""An Open WebUI instance on PostgreSQL is imported like the same one on SQLite. Skipped if PostgreSQL is missing."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from service.importing.readers.openwebui_db import read_openwebui_db
from service.importing.source import Item
from tests.support import postgres
from tests.support.commands import CommandLine
from tests.support.import_samples import IMPORTABLE, Raw, dump
from tests.support.openwebui_databases import EARLY, LATE, MIDDLE, make_database

PROGRAMS = postgres.program_folder()

pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="there is no PostgreSQL on this machine")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert PROGRAMS is not None
    with postgres.running(PROGRAMS) as address:
        yield address


def items(where: str) -> list[Item]:
    with read_openwebui_db(where) as whole:
        first = list(whole())
        # An import reads it twice.
        assert list(whole()) == first
        return first


@pytest.mark.parametrize(("version", "statements"), [("early", EARLY), ("middle", MIDDLE), ("late", LATE)])
def test_every_version_is_read_as_from_sqlite(address: str, tmp_path: Path, version: str, statements: str) -> None:
    path = make_database(tmp_path / "webui.db", statements)
    assert items(postgres.copy_database(path, address, version)) == items(str(path))


def test_it_is_read_as_it_was_at_one_moment(address: str, tmp_path: Path) -> None:
    url = postgres.copy_database(make_database(tmp_path / "webui.db", LATE), address, "moment")
    with read_openwebui_db(url) as whole, psycopg.connect(url, autocommit=True) as other:
        before = list(whole())
        other.execute("DELETE FROM model")
        other.execute("UPDATE \"user\" SET name = 'changed'")
        assert list(whole()) == before


def test_a_whole_instance_is_imported_by_the_command(
    shell: CommandLine, store: Raw, address: str, tmp_path: Path
) -> None:
    path = make_database(tmp_path / "webui.db", *IMPORTABLE)
    url = postgres.copy_database(path, address, "whole")
    rehearsed = shell.ok("import", url, "--dry-run")
    assert rehearsed.splitlines()[0].startswith("read as openwebui-db")
    assert store["models"].count_documents({}) == 0
    shell.ok("import", url, "--report", "report.json")
    assert shell.ok("import", url).endswith("\n0 changes")
    # Importing the same instance from its other database changes nothing.
    assert shell.ok("import", str(path)).endswith("\n0 changes")
    printed = rehearsed + (tmp_path / "report.json").read_text() + dump(store)
    assert "planted-password" not in printed


def test_an_unreadable_database_is_reported_without_the_password(shell: CommandLine, address: str) -> None:
    for url in (f"{address}absent", f"{address}postgres", address.replace("127.0.0.1", "127.0.0.2") + "whole"):
        done = shell.run("import", url)
        assert done.status == 2
        assert "planted-password" not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
