"""Moving in from other systems: all that comes over, what stays behind, and the rehearsal of it."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from bson.json_util import dumps
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.identity import key_hash
from service.migration import Format, ImportOptions, Outcome, Report, import_source
from service.migration.source import SourceError
from tests.commands import COMMAND_SECONDS, CommandLine
from tests.conftest import Commands
from tests.directory import LIST, Directory, grant, model
from tests.documentation import ROOT, blocks
from tests.instances import EARLY, LATE, MIDDLE, insert, instance

Stored = SyncDatabase[dict[str, Any]]

NAME = "modeldeck_moving_in"
MODEL = "/api/models/model"
UPDATE, HISTORY = f"{MODEL}/update", f"{MODEL}/history"
RESTORE, DIFF = f"{HISTORY}/restore", f"{HISTORY}/diff"
OLD_KEY = "sk-00000000000000000000000000000002"
# Without the revision that can't be taken over.
SOUND = (LATE, "DELETE FROM model_history WHERE id = 'h0'")
WRITES = {"insert", "update", "delete", "findAndModify", "bulkWrite", "create", "createIndexes", "commitTransaction"}

SECRETS = (
    "sk-planted0000000000000001",
    "planted-password-2",
    "planted-header-3",
    "planted-master-4",
    "planted-aws-5",
    "planted-in-url-6",
    "sk-ant-planted00000000007",
)
CONFIGURATION = f"""\
general_settings:
  master_key: {SECRETS[3]}
model_list:
  - model_name: Fast chat
    litellm_params:
      model: openai/gpt-4o
      api_key: {SECRETS[0]}
      aws_secret_access_key: {SECRETS[4]}
      api_base: https://proxy:{SECRETS[5]}@gateway.example/v1
      temperature: 0.2
      extra_headers: {{X-Auth-Token: {SECRETS[2]}}}
    model_info: {{id: fast, password: {SECRETS[1]}, access_groups: [beta], max_tokens: 5, notes: "use {SECRETS[6]}"}}
  - model_name: "*"
    litellm_params: {{model: "openai/*", api_key: {SECRETS[0]}}}
  - model_name: {SECRETS[6]}
    litellm_params: {{api_key: {SECRETS[0]}}}
"""
PRICES = {
    "sample_spec": {"mode": "one of chat, embedding", "litellm_provider": "one of many", "max_tokens": "a number"},
    "gpt-4o": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_tokens": 16384,
        "input_cost_per_token": 2.5e-06,
        "supports_vision": True,
    },
    "voyage-3": {"litellm_provider": "voyage", "mode": "embedding", "max_tokens": 32000},
}
EXPORT = [
    model("public", "ann", meta={}, params={}, access_control=None),
    model("absent", "ann", meta={}, params={}),
    model("private", "ann", meta={}, params={}, access_control={}),
]
NAMED = {"models": [model("m", "ann", access_grants=[grant("group:g"), grant("group:h", "write")])]}


@asynccontextmanager
async def moved(directory: Directory, where: Path, **options: Any) -> AsyncIterator[Report]:
    """Import a source of any format through the door for scripts, and close its report in the end."""
    named = {name: options.pop(name) for name in ("wanted", "user_map") if name in options}
    report = await import_source(directory.database, str(where), ImportOptions(**options), **named)
    try:
        yield report
    finally:
        report.close()


async def ask(directory: Directory, key: str, path: str, body: Any = None, **parameters: Any) -> httpx.Response:
    """Send a request with a key that was made elsewhere."""
    method = "GET" if body is None else "POST"
    headers = {"Authorization": f"Bearer {key}"}
    return await directory.client.request(method, path, json=body, params=parameters, headers=headers)


def dump(database: Stored) -> str:
    """Return all that a database holds; guards hold nothing, they make changes take turns."""
    return "\n".join(
        dumps([name, *database[name].find().sort("_id")])
        for name in sorted(set(database.list_collection_names()) - {"guards"})
    )


def written(tmp_path: Path, content: Any, name: str = "source.json") -> Path:
    """Write a file and return its path."""
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def held(mongo_uri: str) -> Iterator[Stored]:
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        client.drop_database(NAME)
        yield client[NAME]


@pytest.fixture
def shell(mongo_uri: str, held: Stored, tmp_path: Path) -> CommandLine:
    for collection in held.list_collection_names():
        held[collection].delete_many({})
    return CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME)


# --- A whole instance


async def test_a_whole_instance_comes_in_once(real_directory: Directory, raw: Stored, tmp_path: Path) -> None:
    path = instance(tmp_path / "webui.db", *SOUND)
    async with moved(real_directory, path) as report:
        assert report.clean, list(report.faults())
        assert {kind: counts["created"] for kind, counts in report.summary().items()} == {
            "group": 2,
            "key": 1,
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
    async with moved(real_directory, path) as report:
        assert (report.clean, report.changes) == (True, 0)
    assert dump(raw) == before


async def test_a_key_from_elsewhere_goes_on_and_only_its_hash_is_stored(
    real_directory: Directory, raw: Stored, tmp_path: Path
) -> None:
    async with moved(real_directory, instance(tmp_path / "webui.db", *SOUND), whole_report=True) as report:
        told = "\n".join(map(str, report.steps()))
    assert (await ask(real_directory, OLD_KEY, LIST)).json()["total"] == 2
    assert (await ask(real_directory, OLD_KEY, UPDATE, {"id": "m", "name": "By the old key"})).status_code == 200
    assert (await ask(real_directory, OLD_KEY[:-1] + "3", LIST)).status_code == 401
    [key] = raw["api_keys"].find()
    assert (key["user_id"], key["sha256"]) == ("ben", key_hash(OLD_KEY))
    assert key["expires_at"].timestamp() == 1_900_000_000
    for text in (dump(raw), told):
        assert OLD_KEY not in text


async def test_history_goes_on_after_what_it_was_elsewhere(real_directory: Directory, tmp_path: Path) -> None:
    async with moved(real_directory, instance(tmp_path / "webui.db", *SOUND)):
        pass
    page = (await ask(real_directory, OLD_KEY, HISTORY, id="m")).json()
    told = [(item["version"], item["by"], item["change"]) for item in page["items"]]
    assert told == [(4, None, "import"), (3, "ben", "import"), (2, "ben", "import"), (1, "ann", "import")]
    assert [item["at"] for item in page["items"][1:]] == [7, 7, 7]

    changed = (await ask(real_directory, OLD_KEY, UPDATE, {"id": "m", "name": "Here"})).json()
    assert changed["version"] == 5
    answer = await ask(real_directory, OLD_KEY, DIFF, id="m", earlier=1, later=2)
    assert answer.json() == [{"path": "/name", "before": "M0", "after": "M1"}]
    answer = await ask(real_directory, OLD_KEY, DIFF, id="m", earlier=4, later=5)
    assert answer.json() == [{"path": "/name", "before": "M", "after": "Here"}]

    oldest = page["items"][-1]["id"]
    restored = (await ask(real_directory, OLD_KEY, RESTORE, {"id": "m", "revision": oldest})).json()
    assert (restored["version"], restored["name"], restored["params"]) == (6, "M0", {"temperature": 0.5})
    assert [given["id"] for given in restored["access_grants"]] == ["a1"]


async def test_a_model_that_was_here_keeps_its_own_history(
    real_directory: Directory, raw: Stored, tmp_path: Path
) -> None:
    await real_directory.load({"models": [model("m", "ben", name="Here")]}, tmp_path)
    path = instance(tmp_path / "webui.db", *SOUND)
    steps = []
    for dry_run in (True, False):
        async with moved(real_directory, path, dry_run=dry_run, whole_report=True) as report:
            steps.append(list(report.steps()))
    assert steps[0] == steps[1]
    refused = [step.reason for step in steps[1] if (step.kind, step.outcome) == ("revision", Outcome.REJECTED)]
    assert refused == ["the model was here before its history, and has versions of its own"] * 3
    assert [found["version"] for found in raw["revisions"].find({"model_id": "m"}).sort("version")] == [1, 2]


@pytest.mark.parametrize("lost", [None, 1, 3])
async def test_an_early_import_is_followed_by_a_last_one(
    real_directory: Directory, raw: Stored, tmp_path: Path, lost: int | None
) -> None:
    path = instance(tmp_path / "webui.db", *SOUND)
    async with moved(real_directory, path):
        pass
    # As when the first one was interrupted.
    raw["revisions"].delete_many({"model_id": "m", "version": lost})
    insert(path, "model_history", [("h4", "m", "h3", '{"name": "M4"}', "ben", None, 8)])
    instance(path, "UPDATE model SET name = 'M4', updated_at = 8 WHERE id = 'm'")
    steps = []
    for dry_run in (True, False):
        async with moved(real_directory, path, dry_run=dry_run, whole_report=True, atomic=True) as report:
            assert report.clean, list(report.faults())
            assert report.changes == (1 if lost is None else 2)
            steps.append(list(report.steps()))
    assert steps[0] == steps[1]
    skipped = [(step.id, step.reason) for step in steps[1] if step.outcome is Outcome.SKIPPED]
    assert [reason for _, reason in skipped] == ["was made after the history of the model came over"]
    page = (await ask(real_directory, OLD_KEY, HISTORY, id="m")).json()
    assert [item["version"] for item in page["items"]] == [5, 4, 3, 2, 1]
    answer = await ask(real_directory, OLD_KEY, DIFF, id="m", earlier=4, later=5)
    assert answer.json() == [{"path": "/name", "before": "M", "after": "M4"}]


def test_the_command_says_what_it_read_and_never_a_key(shell: CommandLine, held: Stored, tmp_path: Path) -> None:
    instance(tmp_path / "webui.db", *SOUND)
    done = shell.run("import", "webui.db", "--report", "report.json")
    assert (done.status, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "read as openwebui-db, since an SQLite database, as Open WebUI keeps its own"
    assert lines[-1] == "10 changes"
    report = (tmp_path / "report.json").read_text()
    assert {name: json.loads(report)[name] for name in ("format", "changes", "undone", "fatal")} == {
        "format": "openwebui-db",
        "changes": 10,
        "undone": None,
        "fatal": None,
    }
    for text in (dump(held), report, done.stdout, shell.ok("import", "webui.db", "--dry-run")):
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


@pytest.mark.parametrize("rehearsed", REHEARSED)
async def test_a_dry_run_writes_nothing_and_says_what_the_run_will_do(
    real_directory: Directory, raw: Stored, commands: Commands, tmp_path: Path, rehearsed: str
) -> None:
    content, options = REHEARSED[rehearsed]
    is_sql = isinstance(content, str) and "CREATE TABLE" in content
    path = instance(tmp_path / "source", content) if is_sql else written(tmp_path, content)
    await real_directory.user("root", role=Role.ADMIN)
    before = dump(raw)
    commands.clear()
    async with moved(real_directory, path, dry_run=True, **options) as rehearsal:
        assert WRITES.isdisjoint(event.command_name for event in commands.started_events)
        assert dump(raw) == before
        async with moved(real_directory, path, whole_report=True, **options) as report:
            assert list(rehearsal.steps()) == list(report.steps())
            assert (rehearsal.changes, rehearsal.clean) == (report.changes, report.clean)
    assert dump(raw) != before
    async with moved(real_directory, path, **options) as again:
        assert again.changes == 0


# --- All or nothing


@pytest.mark.parametrize("content", [LATE, f"{LATE} UPDATE model SET params = '[' WHERE id = 'm';"])
def test_nothing_is_written_when_not_all_can_be(shell: CommandLine, held: Stored, tmp_path: Path, content: str) -> None:
    shell.ok("user", "add", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    shell.ok("group", "add", "--name", "There")
    before = dump(held)
    instance(tmp_path / "webui.db", content)
    done = shell.run("import", "webui.db", "--atomic", "--report", "report.json")
    assert done.status == 1
    assert "changes, had this not failed" in done.stdout
    assert done.stderr == "modeldeck: nothing was written, since not all of it could be\n"
    assert json.loads((tmp_path / "report.json").read_text())["undone"]
    assert dump(held) == before


def test_all_is_written_when_all_can_be(shell: CommandLine, held: Stored, tmp_path: Path) -> None:
    instance(tmp_path / "webui.db", *SOUND)
    assert shell.ok("import", "webui.db", "--atomic").endswith("\n10 changes")
    counts = {name: held[name].count_documents({}) for name in ("users", "groups", "models", "api_keys", "revisions")}
    assert counts == {"users": 2, "groups": 2, "models": 2, "api_keys": 1, "revisions": 5}
    assert shell.ok("import", "webui.db", "--atomic").endswith("\n0 changes")


# --- Who is who


@pytest.mark.parametrize("atomic", [True, False])
async def test_users_of_elsewhere_become_users_of_here(
    real_directory: Directory, raw: Stored, tmp_path: Path, atomic: bool
) -> None:
    for user in ("ann-here", "ben-here"):
        await real_directory.user(user)
    more = "INSERT INTO access_grant VALUES ('a5', 'model', 'm', 'user', 'ann', 'read', 1);"
    path = instance(tmp_path / "webui.db", *SOUND, more)
    mapped = {"ann": "ann-here", "ben": "ben-here"}
    async with moved(real_directory, path, user_map=mapped, atomic=atomic) as report:
        assert report.clean, list(report.faults())
        assert "user" not in report.summary()
    assert sorted(raw["users"].distinct("_id")) == ["ann-here", "ben-here"]
    assert raw["users"].distinct("_id", {"group_ids": "team"}) == ["ann-here", "ben-here"]
    found = raw["models"].find_one({"_id": "m"}) or {}
    assert found["user_id"] == "ben-here"
    principals = {(given["principal_id"], given["permission"]) for given in found["access_grants"]}
    assert principals == {("team", "write"), ("ann-here", "read")}
    assert (await ask(real_directory, OLD_KEY, "/api/me")).json()["id"] == "ben-here"
    revisions = raw["revisions"].find({"model_id": "m"}).sort("version")
    assert [revision["by"] for revision in revisions] == ["ann-here", "ben-here", "ben-here", None]
    async with moved(real_directory, path, user_map=mapped) as report:
        assert report.changes == 0


async def test_two_users_of_elsewhere_can_be_one_here(real_directory: Directory, raw: Stored, tmp_path: Path) -> None:
    await real_directory.user("one")
    grants = [grant("user:ann"), grant("user:ben"), grant("user:ben", "write")]
    groups = [{"id": "g", "name": "G", "member_ids": ["ann", "ben"]}]
    path = written(tmp_path, {"groups": groups, "models": [model("m", "ann", access_grants=grants)]})
    async with moved(real_directory, path, user_map={"ann": "one", "ben": "one"}) as report:
        assert report.clean, list(report.faults())
    found = raw["models"].find_one({"_id": "m"}) or {}
    assert [(given["principal_id"], given["permission"]) for given in found["access_grants"]] == [
        ("one", "read"),
        ("one", "write"),
    ]
    assert raw["users"].distinct("_id", {"group_ids": "g"}) == ["one"]


def test_the_command_reads_who_is_who_and_names_the_lines_that_are_wrong(
    shell: CommandLine, held: Stored, tmp_path: Path
) -> None:
    shell.ok("user", "add", "--id", "ben-here", "--email", "ben@here.org", "--name", "Ben")
    instance(tmp_path / "webui.db", *SOUND)
    before = dump(held)
    (tmp_path / "bad.csv").write_text("from,to\nben,ben@here.org\nann,nobody@here.org\nben,ben-here\nonly\n")
    done = shell.run("import", "webui.db", "--map-users", "bad.csv")
    assert (done.status, done.stdout) == (2, "")
    assert [f"line {number}: " in done.stderr for number in range(1, 6)] == [False, False, True, True, True]
    assert dump(held) == before

    (tmp_path / "good.csv").write_text("\ufefffrom,to\r\nben,BEN@here.org\r\n\r\n", encoding="utf-8")
    assert "users: 1 created" in shell.ok("import", "webui.db", "--map-users", "good.csv")
    assert sorted(held["users"].distinct("_id")) == ["ann", "ben-here"]
    assert held["models"].distinct("user_id", {"_id": "m"}) == ["ben-here"]


# --- Groups that are only named


def test_groups_that_only_grants_name_are_made_when_asked_for(shell: CommandLine, held: Stored, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "ann", "--email", "ann@x.org", "--name", "Ann")
    shell.ok("group", "add", "--id", "h", "--name", "A better name")
    written(tmp_path, NAMED)
    plan = shell.ok("import", "source.json", "--create-groups", "--dry-run")
    assert "created models[0] group 'g': named by a grant" in plan
    assert held["groups"].distinct("_id") == ["h"]
    kept_out = shell.run("import", "source.json", "--dry-run")
    assert (kept_out.status, "there is no group 'g'" in kept_out.stdout) == (1, True)

    assert shell.ok("import", "source.json", "--create-groups").endswith(
        "groups: 1 created\nmodels: 1 created\n2 changes"
    )
    assert {group["_id"]: group["name"] for group in held["groups"].find()} == {"g": "g", "h": "A better name"}
    [found] = held["models"].find()
    assert [given["principal_id"] for given in found["access_grants"]] == ["g", "h"]


@pytest.mark.parametrize("atomic", [True, False])
async def test_a_group_that_is_here_stays_as_it_is_when_it_is_named(
    real_directory: Directory, raw: Stored, tmp_path: Path, atomic: bool
) -> None:
    await real_directory.user("root")
    await real_directory.group("all")
    await real_directory.group("beta", parent="all")
    before = list(raw["groups"].find())
    entry = {"model_name": "x", "litellm_params": {"model": "openai/x"}, "model_info": {"access_groups": ["beta"]}}
    path = written(tmp_path, {"model_list": [entry]})
    async with moved(real_directory, path, owner_id="root", create_groups=True, atomic=atomic) as report:
        assert (report.clean, report.changes) == (True, 1)
    assert list(raw["groups"].find()) == before


# --- LiteLLM


def test_no_secret_of_a_configuration_comes_over_or_is_told(shell: CommandLine, held: Stored, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "root", "--email", "root@x.org", "--name", "Root", "--role", "admin")
    written(tmp_path, CONFIGURATION, "config.yaml")
    import_it = ("import", "config.yaml", "--owner", "root", "--create-groups", "--report", "report.json")
    plan = shell.run(*import_it, "--dry-run")
    done = shell.run(*import_it)
    assert (plan.status, done.status, done.stderr) == (1, 1, "")
    assert done.stdout.startswith("read as litellm, since YAML with a model_list")
    report = (tmp_path / "report.json").read_text()
    for text in (dump(held), plan.stdout, plan.stderr, done.stdout, report):
        assert [secret for secret in SECRETS if secret in text] == []
    [wildcard] = [line for line in done.stdout.splitlines() if line.startswith("rejected model_list[1] ")]
    assert wildcard.endswith("is a route to any number of models, not one model")

    [found] = held["models"].find()
    assert (found["_id"], found["name"], found["base_model_id"]) == ("fast", "Fast chat", "openai/gpt-4o")
    assert (found["params"]["temperature"], found["meta"]["limits"]) == (0.2, {"max_tokens": 5})
    assert [given["principal_id"] for given in found["access_grants"]] == ["beta"]
    assert held["groups"].distinct("_id") == ["beta"]


async def test_a_price_map_comes_in_as_base_models(real_directory: Directory, tmp_path: Path) -> None:
    await real_directory.user("root", role=Role.ADMIN)
    async with moved(real_directory, written(tmp_path, PRICES), owner_id="root") as report:
        assert (report.clean, report.changes) == (True, 2)
    found = (await real_directory.get(MODEL, "root", id="gpt-4o")).json()
    assert (found["base_model_id"], found["user_id"], found["access_grants"]) == (None, "root", [])
    assert found["meta"]["prices"] == {"input_cost_per_token": 2.5e-06}
    assert found["meta"]["capabilities"] == {"vision": True}


# --- Exports of another age, and formats


async def test_what_an_old_export_says_of_access_is_kept(real_directory: Directory, tmp_path: Path) -> None:
    await real_directory.user("ann")
    await real_directory.user("stranger")
    async with moved(real_directory, written(tmp_path, EXPORT)) as report:
        assert report.clean, list(report.faults())
    assert await real_directory.ids("stranger") == ["public"]
    assert sorted(await real_directory.ids("ann")) == ["absent", "private", "public"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (MIDDLE, "openwebui-db, since an SQLite database"),
        (EXPORT, "openwebui, since JSON models with access_control"),
        (CONFIGURATION, "litellm, since YAML with a model_list"),
        (PRICES, "litellm-prices, since a JSON object whose values have litellm_provider"),
        (NAMED, "modeldeck, since a JSON object of models: a bundle"),
        ({"nothing": "known"}, "modeldeck, since it looks like none of the other formats"),
    ],
    ids=["openwebui-db", "openwebui", "litellm", "litellm-prices", "modeldeck", "none"],
)
def test_the_format_is_told_from_what_a_file_holds(shell: CommandLine, tmp_path: Path, content: Any, said: str) -> None:
    if content == MIDDLE:
        instance(tmp_path / "source.json", content)
    else:
        written(tmp_path, content)
    done = shell.run("import", "source.json", "--dry-run", "--report", "report.json")
    assert done.stdout.startswith(f"read as {said}")
    report = json.loads((tmp_path / "report.json").read_text())
    assert f"{report['format']}, since {report['reason']}".startswith(said)


@pytest.mark.parametrize(
    ("wanted", "content"),
    [
        ("litellm", EXPORT),
        ("litellm", PRICES),
        ("litellm-prices", EXPORT),
        ("litellm-prices", NAMED),
        ("openwebui", PRICES),
        ("openwebui", CONFIGURATION),
        ("openwebui-db", EXPORT),
        ("modeldeck", EXPORT),
        ("modeldeck", CONFIGURATION),
    ],
)
def test_a_format_that_was_named_wrongly_is_refused(
    shell: CommandLine, held: Stored, tmp_path: Path, wanted: str, content: Any
) -> None:
    written(tmp_path, content)
    done = shell.run("import", "source.json", "--format", wanted)
    assert done.status in (1, 2)
    assert (done.stdout + done.stderr).count("Traceback") == 0
    assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []
    assert held["models"].count_documents({}) == 0


@pytest.mark.parametrize("wanted", [wanted for wanted in Format if wanted is not Format.OPENWEBUI_DB])
def test_a_database_read_as_a_file_is_refused(shell: CommandLine, held: Stored, tmp_path: Path, wanted: Format) -> None:
    instance(tmp_path / "webui.db", LATE)
    done = shell.run("import", "webui.db", "--format", wanted)
    assert (done.status, done.stdout.splitlines()[-1]) == (1, "0 changes")
    assert done.stderr.startswith("modeldeck: the source can't be read to its end: ")
    assert OLD_KEY not in done.stderr
    assert held["users"].count_documents({}) == 0


async def test_a_database_of_something_else_is_refused(real_directory: Directory, tmp_path: Path) -> None:
    path = instance(tmp_path / "other.db", "CREATE TABLE t (id TEXT);")
    with pytest.raises(SourceError, match="not the database of Open WebUI"):
        async with moved(real_directory, path):
            pass


async def test_more_than_one_batch_of_everything_comes_in(
    real_directory: Directory, raw: Stored, tmp_path: Path
) -> None:
    path = instance(tmp_path / "webui.db", *SOUND)
    many = range(1500)
    insert(path, "user", [(f"u{n}", f"U {n}", f"u{n}@x.org", "user", None) for n in many])
    insert(path, "model", [(f"n{n}", f"u{n}", "gpt-4o", f"N {n}", "{}", "{}", 2, 1, 1, "v") for n in many])
    insert(path, "model_history", [(f"v{n}", f"n{n}", None, '{"name": "old"}', f"u{n}", None, 7) for n in many])
    async with moved(real_directory, path, atomic=True) as report:
        assert report.clean, list(report.faults())[:5]
    assert raw["models"].count_documents({"version": 2}) == len(many)
    assert raw["revisions"].count_documents({"version": 1, "after": {"name": "old"}}) == len(many)


# --- The documentation


def test_the_example_for_scripts_runs(shell: CommandLine, held: Stored, tmp_path: Path) -> None:
    shell.ok("user", "add", "--id", "ann", "--email", "ann@example.com", "--name", "Ann", "--role", "admin")
    instance(tmp_path / "webui.db", *SOUND)
    [example] = blocks(ROOT / "docs/migrating.md", "python")
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env={**shell.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=True,
    )
    assert done.stdout.splitlines() == ["9 changes, clean: True"]
    assert held["models"].distinct("_id") == ["gpt-4o", "m"]
    assert sorted(held["users"].distinct("_id")) == ["ann", "ben"]


def test_every_format_and_option_is_described() -> None:
    text = (ROOT / "docs/migrating.md").read_text(encoding="utf-8")
    options = ("--dry-run", "--map-users", "--create-groups", "--atomic", "--report", "--owner", "--format")
    assert [word for word in (*Format, *options) if f"`{word}" not in text] == []
