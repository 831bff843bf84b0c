"""Migrating from another instance: what is imported, what is not, and what a dry run reports."""

import json
from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from service.auth.authentication import api_key_hash
from service.importing import ImportOutcome
from tests.conftest import Commands
from tests.support.commands import CommandLine
from tests.support.directory import LIST, Directory, model
from tests.support.import_samples import (
    CONFIGURATION,
    DIFF,
    EXPORT,
    HISTORY,
    IMPORTABLE,
    NAMED,
    OLD_KEY,
    PRICES,
    RESTORE,
    UPDATE,
    WRITES,
    Raw,
    ask,
    dump,
    imported,
    write_source,
)
from tests.support.openwebui_databases import EARLY, LATE, MIDDLE, insert, make_database


async def test_a_whole_instance_is_imported_once(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    path = make_database(tmp_path / "webui.db", *IMPORTABLE)
    async with imported(directory, path) as report:
        assert report.clean, list(report.faults())
        assert {kind: counts["created"] for kind, counts in report.summary().items()} == {
            "group": 2,
            "api_key": 1,
            "model": 2,
            "revision": 3,
            "user": 2,
        }
    users = {user["_id"]: user for user in raw["users"].find()}
    assert {name: user["role"] for name, user in users.items()} == {"ann": "admin", "ben": "user"}
    assert (users["ben"]["username"], users["ben"]["group_ids"]) == ("benny", ["team"])
    assert {group["_id"]: group["parent_id"] for group in raw["groups"].find()} == {"all": None, "team": "all"}
    moved_in = raw["models"].find_one({"_id": "m"}) or {}
    assert (moved_in["user_id"], moved_in["params"], moved_in["is_active"]) == ("ben", {"temperature": 0.5}, False)
    assert [(given["id"], given["permission"]) for given in moved_in["access_grants"]] == [("a1", "write")]
    assert "$2b$" not in dump(raw)

    before = dump(raw)
    async with imported(directory, path) as report:
        assert (report.clean, report.changes) == (True, 0)
    assert dump(raw) == before


async def test_an_imported_key_keeps_working_and_only_its_hash_is_stored(
    directory: Directory, raw: Raw, tmp_path: Path
) -> None:
    async with imported(directory, make_database(tmp_path / "webui.db", *IMPORTABLE), whole_report=True) as report:
        results = "\n".join(map(str, report.results()))
    assert (await ask(directory, OLD_KEY, LIST)).json()["total"] == 2
    assert (await ask(directory, OLD_KEY, UPDATE, {"id": "m", "name": "By the old key"})).status_code == 200
    assert (await ask(directory, OLD_KEY[:-1] + "3", LIST)).status_code == 401
    [key] = raw["api_keys"].find()
    assert (key["user_id"], key["sha256"]) == ("ben", api_key_hash(OLD_KEY))
    assert key["expires_at"].timestamp() == 1_900_000_000
    for text in (dump(raw), results):
        assert OLD_KEY not in text


async def test_history_continues_after_the_imported_one(directory: Directory, tmp_path: Path) -> None:
    async with imported(directory, make_database(tmp_path / "webui.db", *IMPORTABLE)):
        pass
    page = (await ask(directory, OLD_KEY, HISTORY, id="m")).json()
    history = [(item["version"], item["by"], item["change"]) for item in page["items"]]
    assert history == [(4, None, "create"), (3, "ben", "import"), (2, "ben", "import"), (1, "ann", "import")]
    assert [item["at"] for item in page["items"][1:]] == [7, 7, 7]
    second = (await ask(directory, OLD_KEY, f"{HISTORY}/{page['items'][2]['id']}")).json()
    assert (second["before"]["name"], second["after"]["name"], second["fields"]) == ("M0", "M1", ["name"])
    assert page["items"][2]["fields"] == ["name"]

    changed = (await ask(directory, OLD_KEY, UPDATE, {"id": "m", "name": "Here"})).json()
    assert changed["version"] == 5
    answer = await ask(directory, OLD_KEY, DIFF, id="m", earlier=1, later=2)
    assert answer.json() == [{"path": "/name", "before": "M0", "after": "M1"}]
    answer = await ask(directory, OLD_KEY, DIFF, id="m", earlier=4, later=5)
    assert answer.json() == [{"path": "/name", "before": "M", "after": "Here"}]

    oldest = page["items"][-1]["id"]
    restored = (await ask(directory, OLD_KEY, RESTORE, {"id": "m", "revision": oldest})).json()
    assert (restored["version"], restored["name"], restored["params"]) == (6, "M0", {"temperature": 0.5})
    assert [given["id"] for given in restored["access_grants"]] == ["a1"]


async def test_a_model_that_was_here_keeps_its_own_history(directory: Directory, raw: Raw, tmp_path: Path) -> None:
    await directory.load({"models": [model("m", "ben", name="Here")]}, tmp_path)
    path = make_database(tmp_path / "webui.db", *IMPORTABLE)
    results = []
    for dry_run in (True, False):
        async with imported(directory, path, dry_run=dry_run, whole_report=True) as report:
            results.append(list(report.results()))
    assert results[0] == results[1]
    refused = [one.reason for one in results[1] if (one.kind, one.outcome) == ("revision", ImportOutcome.REJECTED)]
    assert refused == ["the model was here before its history, and has versions of its own"] * 3
    assert [found["version"] for found in raw["revisions"].find({"model_id": "m"}).sort("version")] == [1, 2]


@pytest.mark.parametrize("lost", [None, 1, 3])
async def test_an_early_import_is_followed_by_a_last_one(
    directory: Directory, raw: Raw, tmp_path: Path, lost: int | None
) -> None:
    path = make_database(tmp_path / "webui.db", *IMPORTABLE)
    async with imported(directory, path):
        pass
    # As if the first import had been interrupted.
    raw["revisions"].delete_many({"model_id": "m", "version": lost})
    insert(path, "model_history", [("h4", "m", "h3", '{"name": "M4"}', "ben", None, 8)])
    make_database(path, "UPDATE model SET name = 'M4', updated_at = 8 WHERE id = 'm'")
    results = []
    for dry_run in (True, False):
        async with imported(directory, path, dry_run=dry_run, whole_report=True, atomic=True) as report:
            assert report.clean, list(report.faults())
            assert report.changes == (1 if lost is None else 2)
            results.append(list(report.results()))
    assert results[0] == results[1]
    skipped = [(one.id, one.reason) for one in results[1] if one.outcome is ImportOutcome.SKIPPED]
    assert [reason for _, reason in skipped] == ["was made after the history of the model was imported"]
    page = (await ask(directory, OLD_KEY, HISTORY, id="m")).json()
    assert [item["version"] for item in page["items"]] == [5, 4, 3, 2, 1]
    answer = await ask(directory, OLD_KEY, DIFF, id="m", earlier=4, later=5)
    assert answer.json() == [{"path": "/name", "before": "M", "after": "M4"}]


def test_the_command_says_what_it_read_and_never_a_key(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    make_database(tmp_path / "webui.db", *IMPORTABLE)
    done = shell.run("import", "webui.db", "--report", "report.json")
    assert (done.status, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "read as openwebui-db, since an SQLite database, as Open WebUI has it"
    assert lines[-1] == "10 changes"
    report = (tmp_path / "report.json").read_text()
    assert {name: json.loads(report)[name] for name in ("format", "changes", "undone", "fatal")} == {
        "format": "openwebui-db",
        "changes": 10,
        "undone": None,
        "fatal": None,
    }
    for text in (dump(store), report, done.stdout, shell.ok("import", "webui.db", "--dry-run")):
        assert OLD_KEY not in text


# --- The rehearsal

REHEARSED: dict[str, tuple[Any, dict[str, Any]]] = {
    "late": (LATE, {}),
    "middle": (MIDDLE, {}),
    "early": (EARLY, {"owner_id": "root"}),
    "late without a model": (f"{LATE} UPDATE model SET name = '' WHERE id = 'm';", {}),
    "a key twice": (f"{LATE} INSERT INTO api_key SELECT 'k2', user_id, key, 1900000000, 5 FROM api_key;", {}),
    "a key of two": (f"{LATE} INSERT INTO api_key SELECT 'k2', 'ann', key, 1900000000, 5 FROM api_key;", {}),
    "groups named": (NAMED, {"create_groups": True}),
    "groups not named": (NAMED, {}),
    "LiteLLM": (CONFIGURATION, {"owner_id": "root", "create_groups": True}),
    "prices": (PRICES, {"owner_id": "root"}),
    "export": (EXPORT, {"owner_id": "root"}),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("rehearsed", REHEARSED)
async def test_a_dry_run_writes_nothing_and_says_what_the_run_will_do(
    directory: Directory, raw: Raw, commands: Commands, tmp_path: Path, rehearsed: str
) -> None:
    content, options = REHEARSED[rehearsed]
    is_sql = isinstance(content, str) and "CREATE TABLE" in content
    path = make_database(tmp_path / "source", content) if is_sql else write_source(tmp_path, content)
    await directory.user("root", role=Role.ADMIN)
    before = dump(raw)
    commands.clear()
    async with imported(directory, path, dry_run=True, **options) as rehearsal:
        assert WRITES.isdisjoint(event.command_name for event in commands.started_events)
        assert dump(raw) == before
        async with imported(directory, path, whole_report=True, **options) as report:
            assert list(rehearsal.results()) == list(report.results())
            assert (rehearsal.changes, rehearsal.clean) == (report.changes, report.clean)
    assert dump(raw) != before
    async with imported(directory, path, **options) as again:
        assert again.changes == 0


# --- All or nothing


@pytest.mark.parametrize("content", [LATE, f"{LATE} UPDATE model SET params = '[' WHERE id = 'm';"])
def test_nothing_is_written_when_not_all_can_be(shell: CommandLine, store: Raw, tmp_path: Path, content: str) -> None:
    shell.ok("user", "add", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    shell.ok("group", "add", "--name", "There")
    before = dump(store)
    make_database(tmp_path / "webui.db", content)
    done = shell.run("import", "webui.db", "--atomic", "--report", "report.json")
    assert done.status == 1
    assert "changes, had this not failed" in done.stdout
    assert done.stderr == "modeldeck: nothing was written, since not everything could be\n"
    assert json.loads((tmp_path / "report.json").read_text())["undone"]
    assert dump(store) == before


def test_all_is_written_when_all_can_be(shell: CommandLine, store: Raw, tmp_path: Path) -> None:
    make_database(tmp_path / "webui.db", *IMPORTABLE)
    assert shell.ok("import", "webui.db", "--atomic").endswith("\n10 changes")
    counts = {name: store[name].count_documents({}) for name in ("users", "groups", "models", "api_keys", "revisions")}
    assert counts == {"users": 2, "groups": 2, "models": 2, "api_keys": 1, "revisions": 5}
    assert shell.ok("import", "webui.db", "--atomic").endswith("\n0 changes")
