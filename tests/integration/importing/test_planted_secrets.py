"""A secret of a source appears nowhere: neither in the database nor in output, reports, logs or files."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from service.auth.authentication import Authenticator, api_key_hash
from service.database.client import Database
from tests.conftest import TIMEOUT_SECONDS
from tests.support.commands import CommandLine
from tests.support.import_samples import NAME, Raw
from tests.support.planted_catalogues import CATALOGUES, FOLDER
from tests.support.planted_secrets import BROKEN, KEY, MARKS, SOURCES, URL, WORD
from tests.support.watched_server import Server


def contains_secret(text: bytes | str) -> bool:
    content = text.encode() if isinstance(text, str) else bytes(text)
    return any(mark in content for mark in MARKS)


def require_no_secret(server: Server, output: Iterable[str]) -> None:
    assert [text for text in output if contains_secret(text)] == []
    assert [place for place, record in server.records() if contains_secret(record)] == []
    assert b"Slow query" in server.log()
    assert [line for line in server.log().splitlines() if contains_secret(line)] == []


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [*SOURCES, *CATALOGUES])
def test_a_planted_secret_appears_nowhere(
    shell: CommandLine, store: Raw, server: Server, tmp_path: Path, name: str
) -> None:
    planted = (SOURCES | CATALOGUES)[name]
    source = planted.make(tmp_path)
    assert contains_secret(source.read_bytes())
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    before = set(tmp_path.rglob("*"))
    output = []
    for options in ("--dry-run",), ():
        done = shell.run("import", source.name, "--owner", "root", "--create-groups", "--report", "r.json", *options)
        assert done.status == 1, done
        output += [done.stdout, done.stderr, (tmp_path / "r.json").read_text()]
    assert store.models.count_documents({}) == planted.models
    require_no_secret(server, output)
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "r.json"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", BROKEN)
def test_a_secret_in_an_unreadable_source_is_not_shown(
    shell: CommandLine, server: Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "source").write_bytes(BROKEN[name])
    assert contains_secret(BROKEN[name])
    done = shell.run("import", "source", "--report", "r.json")
    assert done.status == 1
    assert "the source can't be read to its end: " in done.stderr
    require_no_secret(server, [done.stdout, done.stderr, (tmp_path / "r.json").read_text()])


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
        assert not any(contains_secret(record) for _, record in server.records())
        store.api_keys.delete_many({})


@pytest.mark.parametrize("url", [f"{URL}/db", f"mysql://ann:{WORD}@x/db", f"postgresql://ann:{WORD}@127.0.0.1:1/db"])
def test_the_password_in_the_url_of_a_database_is_not_shown(shell: CommandLine, url: str) -> None:
    done = shell.run("import", url)
    assert done.status == 2
    assert done.stderr
    assert not contains_secret(done.stdout + done.stderr)


def test_a_planted_secret_in_a_folder_appears_nowhere(
    shell: CommandLine, store: Raw, server: Server, tmp_path: Path
) -> None:
    FOLDER.make(tmp_path)
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    output = []
    for options in ("--dry-run",), ():
        done = shell.run("import", "source", "--owner", "root", "--report", "r.json", *options)
        assert done.status == 1, done
        output += [done.stdout, done.stderr, (tmp_path / "r.json").read_text()]
    assert store.models.count_documents({}) == FOLDER.models
    require_no_secret(server, output)
