"""A secret of a source appears nowhere: neither in the database nor in output, reports, logs or files."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from service.auth.authentication import Authenticator, api_key_hash
from service.database.client import Database
from tests.conftest import TIMEOUT_SECONDS
from tests.support.commands import CommandLine
from tests.support.import_samples import NAME, Raw
from tests.support.planted_secrets import BROKEN, KEY, MARKS, SOURCES, URL, WORD
from tests.support.watched_server import Server


def says_it(told: bytes | str) -> bool:
    told = told.encode() if isinstance(told, str) else bytes(told)
    return any(mark in told for mark in MARKS)


def require_nowhere(server: Server, told: Iterable[str]) -> None:
    assert [text for text in told if says_it(text)] == []
    assert [place for place, record in server.records() if says_it(record)] == []
    assert b"Slow query" in server.log()
    assert [line for line in server.log().splitlines() if says_it(line)] == []


@pytest.mark.parametrize("name", SOURCES)
def test_a_planted_secret_appears_nowhere(
    shell: CommandLine, store: Raw, server: Server, tmp_path: Path, name: str
) -> None:
    planted = SOURCES[name]
    source = planted.make(tmp_path)
    assert says_it(source.read_bytes())
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    before = set(tmp_path.rglob("*"))
    told = []
    for options in ("--dry-run",), ():
        done = shell.run("import", source.name, "--owner", "root", "--create-groups", "--report", "r.json", *options)
        assert done.status == 1, done
        told += [done.stdout, done.stderr, (tmp_path / "r.json").read_text()]
    assert store.models.count_documents({}) == planted.models
    require_nowhere(server, told)
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "r.json"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_secret_in_what_cannot_be_read_is_not_told(
    shell: CommandLine, server: Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "source").write_bytes(BROKEN[name])
    assert says_it(BROKEN[name])
    done = shell.run("import", "source", "--report", "r.json")
    assert done.status == 1
    assert "the source can't be read to its end: " in done.stderr
    require_nowhere(server, [done.stdout, done.stderr, (tmp_path / "r.json").read_text()])


async def test_a_planted_key_works_although_it_is_nowhere(
    shell: CommandLine, store: Raw, server: Server, mongo_uri: str, tmp_path: Path
) -> None:
    for name in ("middle database", "late database"):
        source = SOURCES[name].make(tmp_path)
        assert shell.run("import", source.name).status == 1
        source.unlink()
        [stored] = store.api_keys.find({"sha256": api_key_hash(KEY)})
        assert stored["user_id"] == "ben"
        database = Database.connect(mongo_uri, NAME, TIMEOUT_SECONDS)
        try:
            await database.open()
            assert (await Authenticator(database).resolve(f"Bearer {KEY}")).user_id == "ben"
        finally:
            database.close()
        assert not any(says_it(record) for _, record in server.records())
        store.api_keys.delete_many({})


@pytest.mark.parametrize("url", [f"{URL}/db", f"mysql://ann:{WORD}@x/db", f"postgresql://ann:{WORD}@127.0.0.1:1/db"])
def test_the_password_in_the_url_of_a_database_is_not_told(shell: CommandLine, url: str) -> None:
    done = shell.run("import", url)
    assert done.status == 2
    assert done.stderr
    assert not says_it(done.stdout + done.stderr)
