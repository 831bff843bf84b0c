"""The command line: users, groups, keys, indexes and doctor."""

import asyncio
import hashlib
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from documents import DOCUMENTS
from indexes.ensure import ensure
from indexes.indexes import INDEXES
from service.auth.authentication import api_key_hash, api_key_id
from service.database.client import Database
from tests.conftest import TIMEOUT_SECONDS
from tests.support.commands import CommandLine, Done, finish, free_port
from tests.support.raw_database import UnvalidatedDatabase

NAME = "modeldeck_cli"
NOWHERE = "mongodb://127.0.0.1:9/?replicaSet=none"
AWAY = "The database can't be reached at the moment; try again."
FOREIGN_KEY = "sk-0123456789abcdefghijklmnop"

DAY = datetime(2024, 1, 1, tzinfo=UTC)

Raw = SyncDatabase[dict[str, Any]]


@pytest.fixture(scope="module")
def stored(mongo_uri: str) -> Iterator[Raw]:
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        client.drop_database(NAME)
        yield UnvalidatedDatabase(client, NAME)


@pytest.fixture(scope="module")
def shell(mongo_uri: str, stored: Raw, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("cli"), mongodb_uri=mongo_uri, database=NAME)


@pytest.fixture(autouse=True)
def nothing_stored(stored: Raw) -> None:
    for document in DOCUMENTS:
        stored[document.Settings.name].delete_many({})


def put_user(stored: Raw, user_id: str, **fields: Any) -> None:
    """Store a user as `user add` does, without running the command."""
    email = f"{user_id}@x.org"
    defaults = {"name": user_id, "email": email, "role": "user", "is_active": True, "group_ids": [], "username": None}
    moment = {"created_at": DAY, "updated_at": DAY}
    keys = {"email": email, "text": f"{user_id}\0{email}"}
    stored["users"].insert_one({"_id": user_id, **defaults, **moment, "keys": keys, **fields})


def refusals(shell: CommandLine, *commands: Sequence[str]) -> list[str]:
    """Run commands that must all fail; return the single line that each wrote to standard error."""
    lines = []
    for done in [shell.run(*command) for command in commands]:
        assert (done.status, done.stdout) == (2, ""), done
        [line] = done.stderr.splitlines()
        lines.append(line.removeprefix("modeldeck: "))
        assert lines[-1] != line, done
    return lines


def test_user_add_prints_the_id_and_stores_the_user(shell: CommandLine, stored: Raw) -> None:
    made = shell.ok(
        "user", "add", "--email", "Ann@Example.com", "--name", "Ann", "--username", "annie", "--role", "admin"
    )
    user = stored["users"].find_one({"_id": made})
    assert user is not None
    assert [user[field] for field in ("email", "name", "username", "role", "is_active", "rekey_pending")] == [
        "Ann@Example.com",
        "Ann",
        "annie",
        "admin",
        True,
        False,
    ]


def test_an_email_taken_in_another_case_and_a_taken_id_are_refused(shell: CommandLine, stored: Raw) -> None:
    put_user(stored, "ann")
    before = list(stored["users"].find())
    add = ("user", "add", "--name", "Other", "--email")
    errors = refusals(shell, (*add, "ANN@X.org"), (*add, "new@x.org", "--id", "ann"))
    assert errors == ["The id or the email is taken by another user."] * 2
    assert list(stored["users"].find()) == before


def test_bad_fields_of_a_user_are_named(shell: CommandLine, stored: Raw) -> None:
    bad = {
        "email: must be an email address": ["--email", "nobody", "--name", "N"],
        "name: must not be blank": ["--email", "a@x.org", "--name", " "],
        "id: must not be *, which stands for everyone": ["--email", "a@x.org", "--name", "N", "--id", "*"],
        "name: ": ["--email", "a@x.org", "--name", "\udcff"],
        "email: ": ["--email", "\udcff@x.org", "--name", "N"],
    }
    errors = refusals(shell, *(("user", "add", *arguments) for arguments in bad.values()))
    assert [line for line, expected in zip(errors, bad, strict=True) if not line.startswith(expected)] == []
    assert stored["users"].count_documents({}) == 0


def test_groups_nest_and_users_join_by_id_or_email(shell: CommandLine, stored: Raw) -> None:
    put_user(stored, "ann")
    put_user(stored, "bob")
    assert shell.ok("group", "add", "--name", "Company", "--id", "company") == "company"
    team = shell.ok("group", "add", "--name", "Team", "--parent", "company")
    stored["users"].update_one({"_id": "ann"}, {"$set": {"group_ids": [team]}})
    assert shell.ok("group", "join", team, "ann", "BOB@x.org") == "1"
    assert [group["parent_id"] for group in stored["groups"].find({"_id": team})] == ["company"]
    assert [user["group_ids"] for user in stored["users"].find()] == [[team], [team]]


def test_unknown_parents_groups_and_members_are_refused_and_nobody_joins(shell: CommandLine, stored: Raw) -> None:
    put_user(stored, "ann")
    stored["groups"].insert_one({"_id": "team", "name": "T", "parent_id": None, "created_at": DAY, "updated_at": DAY})
    errors = refusals(
        shell,
        ("group", "add", "--name", "Team", "--parent", "none"),
        ("group", "add", "--name", "Team", "--id", "own", "--parent", "own"),
        ("group", "join", "team", "ann", "none"),
        ("group", "join", "none", "ann"),
        ("group", "join", "\udcff", "ann"),
        ("group", "join", "team", "\udcff"),
    )
    assert errors == [
        "parent_id: there is no group 'none'",
        "parent_id: a group can't be its own parent",
        "There is no user with the id or email 'none'.",
        "There is no group with the id 'none'.",
        r"There is no group with the id '\udcff'.",
        r"There is no user with the id or email '\udcff'.",
    ]
    assert stored["groups"].count_documents({}) == 1
    assert [user["group_ids"] for user in stored["users"].find()] == [[]]


def test_key_create_prints_the_key_alone_and_stores_its_hash(shell: CommandLine, stored: Raw) -> None:
    put_user(stored, "ann")
    key = shell.ok("key", "create", "--user", "Ann@x.org", "--scope", "read", "--expires", "90d")
    assert key.startswith("mdk_")
    [record] = stored["api_keys"].find()
    assert record["_id"] == api_key_id(key)
    assert record["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert (record["user_id"], record["scope"]) == ("ann", "read")
    assert (record["expires_at"] - record["created_at"]).days in (89, 90)
    assert key.rpartition("_")[2] not in str(record)


def test_a_key_made_elsewhere_is_adopted_and_stored_only_hashed(shell: CommandLine, stored: Raw) -> None:
    put_user(stored, "ann")
    adopt = ("key", "create", "--user", "ann", "--from-stdin")
    assert shell.ok(*adopt, stdin=f"{FOREIGN_KEY}\n") == ""
    [record] = stored["api_keys"].find()
    assert (record["sha256"], record["scope"], record["expires_at"]) == (api_key_hash(FOREIGN_KEY), "write", None)
    assert FOREIGN_KEY[3:] not in str(record)
    again = shell.run(*adopt, stdin=FOREIGN_KEY)
    assert (again.status, again.stderr) == (2, "modeldeck: This API key is stored already.\n")
    [short] = refusals(shell, adopt)
    assert short.startswith("key: must be 20 to 512 printable ASCII characters")
    assert stored["api_keys"].count_documents({}) == 1


def test_a_key_for_a_user_whom_others_wrote_malformed_is_refused(shell: CommandLine, stored: Raw) -> None:
    put_user(stored, "ann", name=7)
    errors = refusals(shell, ("key", "create", "--user", "ann"), ("key", "create", "--user", "ann@x.org"))
    assert [line.partition(" is ")[2] for line in errors] == ["malformed; see: modeldeck doctor"] * 2


def test_keys_for_nobody_and_keys_that_expire_at_no_time_are_refused(shell: CommandLine, stored: Raw) -> None:
    put_user(stored, "ann")
    create = ("key", "create", "--user")
    durations = ["soon", "0d", "90", "-1d", "999999w"]
    nobody, *errors = refusals(shell, (*create, "none"), *((*create, "ann", f"--expires={each}") for each in durations))
    assert nobody == "There is no user with the id or email 'none'."
    assert all(line.startswith("expires: ") for line in errors), errors
    assert stored["api_keys"].count_documents({}) == 0


async def test_indexes_are_made_by_eight_at_once(shell: CommandLine, stored: Raw, mongo_uri: str) -> None:
    for collection in INDEXES:
        stored.drop_collection(collection)
    databases = [Database.connect(mongo_uri, NAME, TIMEOUT_SECONDS) for _ in range(8)]
    try:
        for database in databases:
            await database.open()
        assert await asyncio.gather(*map(ensure, databases)) == [[]] * 8
    finally:
        for database in databases:
            database.close()
    assert shell.ok("indexes", "check") == "indexes are as declared"
    live = {name for collection in INDEXES for name in stored[collection].index_information()}
    assert live == {"_id_", *(index.document["name"] for indexes in INDEXES.values() for index in indexes)}


def test_index_drift_is_reported_a_line_each_and_only_what_is_missing_is_made(shell: CommandLine, stored: Raw) -> None:
    assert shell.ok("indexes", "ensure") == "indexes are as declared"
    stored["models"].drop_index("base")
    stored.drop_collection("tag_usage")
    stored["models"].create_index("name", name="by_hand")
    stored["users"].drop_index("email")
    stored["users"].create_index("keys.email", name="email")
    try:
        found = shell.run("indexes", "check")
        assert (found.status, found.stderr) == (1, "")
        base, by_hand, view, email = found.stdout.splitlines()
        assert base.startswith("missing: models.base (")
        assert by_hand.startswith("extra: models.by_hand (")
        assert view == "missing: tag_usage.view (of models)"
        assert email.startswith("different: users.email (")
        ensured = shell.run("indexes", "ensure")
        assert ensured.status == 1
        assert ensured.stdout.splitlines() == [by_hand, email]
    finally:
        stored["models"].drop_index("by_hand")
        stored["users"].drop_index("email")


def test_database_uri_prints_the_one_that_is_set(shell: CommandLine, mongo_uri: str) -> None:
    assert shell.ok("database-uri") == mongo_uri


def test_a_database_that_is_away_is_reported_within_seconds(tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, mongodb_uri=NOWHERE)
    serving = shell.start("serve", "--port", str(free_port()))
    began = time.monotonic()
    reported = refusals(shell, ("doctor",), ("indexes", "check"))
    # Both commands give up after five seconds; by default, the driver would wait for 30 seconds each time.
    assert time.monotonic() - began < 50
    assert reported == [AWAY] * 2
    assert finish(serving) == Done(2, "", f"modeldeck: {AWAY}\n")


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    bad = {"mongodb_uri": "mysql://h", "database": "a.b", "request_timeout": "soon"}
    for variable, value in bad.items():
        [error] = refusals(CommandLine(tmp_path, **{"mongodb_uri": NOWHERE, variable: value}), ("doctor",))
        assert error.startswith(f"MODELDECK_{variable.upper()}: ")


def test_doctor_finds_and_repairs_stale_keys(shell: CommandLine, stored: Raw, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.jsonl"
    bundle.write_text(
        '{"kind": "user", "id": "ann", "name": "Ann", "email": "ann@x.org"}\n'
        '{"kind": "model", "id": "m1", "name": "One", "user_id": "ann"}\n'
        '{"kind": "model", "id": "m2", "name": "Two", "user_id": "ann"}\n'
        '{"kind": "model", "id": "m3", "name": "Three", "user_id": "ann"}\n'
    )
    shell.ok("import", str(bundle))
    right = list(stored["models"].find())
    stored["models"].update_one({"_id": "m1"}, {"$set": {"keys.text": "x", "keys.readers": ["user:*"]}})
    stored["models"].update_one({"_id": "m2"}, {"$unset": {"keys": 1}})
    stored["users"].update_one({"_id": "ann"}, {"$set": {"keys.email": "other"}})

    found = shell.run("doctor")
    assert found.status == 1
    assert found.stdout.splitlines() == [
        "user 'ann' has stale derived keys: email",
        "model 'm1' has stale derived keys: text, readers",
        "model 'm2' has no derived keys",
        "stale derived keys: 3",
        "8 documents examined, 3 problems",
    ]
    assert shell.ok("doctor", "--repair").endswith(
        "stale derived keys: 3, 3 repaired\n8 documents examined, 3 problems, 3 repaired"
    )
    assert list(stored["models"].find()) == right
    assert shell.ok("doctor") == "8 documents examined, 0 problems"


def test_doctor_survives_malformed_records_and_reports_what_it_cannot_repair(shell: CommandLine, stored: Raw) -> None:
    put_user(stored, "ann", name=7, email=None)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    sound: dict[str, Any] = {
        "user_id": "ann",
        "base_model_id": None,
        "name": "N",
        "meta": {},
        "access_grants": [],
        "is_active": True,
    }
    sound |= {"version": 1, "created_at": moment, "updated_at": moment}
    stored["models"].insert_many(
        [
            {**sound, "_id": "grants", "access_grants": 5},
            {**sound, "_id": "owner", "user_id": {"$gt": ""}},
            {"_id": "bare", "user_id": "ann", "version": 1},
            {**sound, "_id": "grant", "access_grants": [{"principal_id": "x"}]},
            {**sound, "_id": "plain"},
        ]
    )
    repaired = shell.run("doctor", "--repair")
    assert repaired.status == 1
    assert repaired.stderr == ""
    assert {
        "model 'grants' is malformed: access_grants",
        "model 'owner' is malformed: user_id",
        "model 'bare' is malformed: base_model_id, name, meta, access_grants, is_active, created_at, updated_at",
        "model 'grant' is malformed: access_grants",
        "model 'plain' has no derived keys",
    } <= set(repaired.stdout.splitlines())
    plain = stored["models"].find_one({"_id": "plain"})
    assert plain is not None
    assert plain["keys"]["readers"] == ["user:ann"]
