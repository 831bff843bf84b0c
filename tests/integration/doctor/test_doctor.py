"""`modeldeck doctor` on a directory with records that were written past the service."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson import Int64, ObjectId
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from documents import DOCUMENTS
from documents.model import MAX_RECORD_BYTES
from indexes.indexes import INDEXES
from service.doctor.diagnosis import EXAMPLES
from tests.support.commands import CommandLine, Done
from tests.support.raw_database import UnvalidatedDatabase

NAME = "modeldeck_doctor"
DAY = datetime(2024, 1, 1, tzinfo=UTC)
OWNER = {"kind": "user", "id": "ann", "name": "Ann", "email": "ann@x.org"}
OTHER = {"kind": "user", "id": "bob", "name": "Bob", "email": "bob@x.org"}
MODELS = [{"kind": "model", "id": f"m{number}", "name": f"M {number}", "user_id": "ann"} for number in range(3)]
# Two users, three models, and a revision of each.
DOCUMENTS_STORED = 10

Raw = SyncDatabase[dict[str, Any]]


@pytest.fixture(scope="module")
def stored(mongo_uri: str) -> Iterator[Raw]:
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        client.drop_database(NAME)
        yield UnvalidatedDatabase(client, NAME)


@pytest.fixture(scope="module")
def shell(mongo_uri: str, stored: Raw, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("doctor"), mongodb_uri=mongo_uri, database=NAME)


@pytest.fixture
def directory(shell: CommandLine, stored: Raw) -> Raw:
    """A directory without problems."""
    for document in DOCUMENTS:
        stored[document.Settings.name].delete_many({})
    bundle = shell.folder / "bundle.jsonl"
    bundle.write_text("\n".join(map(json.dumps, [OWNER, OTHER, *MODELS])))
    shell.ok("import", str(bundle))
    assert shell.ok("doctor") == f"{DOCUMENTS_STORED} documents examined, 0 problems"
    return stored


def lines_of(done: Done) -> list[str]:
    assert done.stderr == ""
    return done.stdout.splitlines()


def _fields_of_their_own(raw: Raw) -> None:
    raw.models.update_one({"_id": "m1"}, {"$set": {"embedding": [0.5], "version": "one"}})


MALFORMED: dict[str, tuple[Callable[[Raw], Any], str]] = {
    "model": (_fields_of_their_own, "model 'm1' is malformed: version"),
    "embedding": (
        lambda raw: raw.models.update_one({"_id": "m1"}, {"$set": {"embedding": [0.5]}}),
        "model 'm1' is malformed: unknown fields",
    ),
    "user": (
        lambda raw: raw.users.update_one({"_id": "bob"}, {"$set": {"role": "owner"}, "$unset": {"is_active": 1}}),
        "user 'bob' is malformed: role, is_active",
    ),
    "group": (
        lambda raw: raw.groups.insert_one({"_id": "g"}),
        "group 'g' is malformed: name, parent_id, created_at, updated_at",
    ),
    "key": (
        lambda raw: raw.api_keys.insert_one(
            {"_id": "k", "user_id": "ann", "name": "k", "scope": "all", "sha256": "0" * 64, "created_at": DAY}
            | {"expires_at": None, "last_used_at": None}
        ),
        "api key 'k' is malformed: scope",
    ),
    "revision": (
        lambda raw: raw.revisions.update_many({"model_id": "m1"}, {"$set": {"at": "yesterday", "_by": None}}),
        "is malformed: at, unknown fields",
    ),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("what", MALFORMED)
def test_records_that_the_validator_would_refuse_are_found_and_left(
    shell: CommandLine, directory: Raw, what: str
) -> None:
    change, problem = MALFORMED[what]
    change(directory)
    for arguments in ((), ("--repair",), ()):
        done = shell.run("doctor", *arguments)
        assert done.status == 1
        found, counted, summary = lines_of(done)
        assert found.endswith(problem)
        assert counted == ("malformed records: 1, 0 repaired" if arguments else "malformed records: 1")
        assert ", 1 problems" in summary


def test_numbers_that_a_tool_has_shortened_are_stored_in_full_again(shell: CommandLine, directory: Raw) -> None:
    for collection in ("models", "revisions"):
        directory[collection].update_many({}, [{"$set": {"version": {"$toInt": "$version"}}}])
    assert lines_of(shell.run("doctor"))[-2] == "malformed records: 6"
    assert shell.run("doctor", "--repair").status == 0
    assert directory.models.count_documents({"version": {"$type": "long"}}) == 3
    assert directory.revisions.count_documents({"version": {"$type": "long"}}) == 3


def test_models_whose_owner_is_gone_are_a_warning(shell: CommandLine, directory: Raw) -> None:
    directory.users.delete_one({"_id": "ann"})
    shell.ok("doctor", "--repair")
    assert lines_of(shell.run("doctor")) == [
        *(f"model 'm{number}' is owned by 'ann', who does not exist" for number in range(3)),
        "warning: models without an owner: 3",
        f"{DOCUMENTS_STORED - 1} documents examined, 0 problems, 3 warnings",
    ]


def _of_size(raw: Raw, model_id: str, size: int) -> None:
    raw.models.update_one({"_id": model_id}, {"$set": {"params": {"system": "x" * size}}})


def test_records_near_the_size_limit_are_a_warning_and_those_beyond_a_problem(
    shell: CommandLine, directory: Raw
) -> None:
    _of_size(directory, "m0", MAX_RECORD_BYTES * 7 // 10)
    _of_size(directory, "m1", MAX_RECORD_BYTES * 8 // 10)
    near = shell.run("doctor")
    assert near.status == 0
    assert lines_of(near)[0].startswith("model 'm1' has 400,")
    assert lines_of(near)[1] == "warning: records near the size limit: 1"
    _of_size(directory, "m2", MAX_RECORD_BYTES)
    beyond = shell.run("doctor", "--repair")
    assert beyond.status == 1
    assert lines_of(beyond)[0].startswith("model 'm2' has 500,")
    assert lines_of(beyond)[1] == "records beyond the size limit: 1, 0 repaired"


def test_an_email_of_several_users_is_found_though_its_index_can_not_be_made(
    shell: CommandLine, directory: Raw
) -> None:
    directory.users.drop_index("email")
    try:
        ann = directory.users.find_one({"_id": "ann"}) or {}
        directory.users.insert_one({**ann, "_id": "ann2"})
        done = shell.run("doctor")
        assert done.status == 1
        assert lines_of(done)[:2] == [
            "2 users have the email 'ann@x.org': 'ann', 'ann2'",
            "emails of several users: 1",
        ]
        assert shell.run("indexes", "ensure").status == 2
    finally:
        directory.users.delete_one({"_id": "ann2"})
        directory.users.create_indexes(INDEXES["users"])


def test_a_history_whose_model_was_taken_away_past_the_service_is_ended(shell: CommandLine, directory: Raw) -> None:
    directory.models.delete_one({"_id": "m1"})
    assert lines_of(shell.run("doctor"))[:2] == [
        "model 'm1' does not exist, but its history does not end with its deletion",
        "histories without a model: 1",
    ]
    shell.ok("doctor", "--repair")
    assert shell.ok("doctor") == f"{DOCUMENTS_STORED} documents examined, 0 problems"
    made, ended = directory.revisions.find({"model_id": "m1"}).sort("version")
    assert (ended["version"], ended["change"], ended["by"]) == (made["version"] + 1, "delete", None)
    assert (ended["before"], ended["after"]) == (made["after"], None)


def test_the_history_of_a_deleted_model_is_as_it_should_be(shell: CommandLine, directory: Raw) -> None:
    last = directory.revisions.find_one({"model_id": "m1"}) or {}
    deletion = {"change": "delete", "version": Int64(2), "before": last["after"], "after": None}
    directory.models.delete_one({"_id": "m1"})
    directory.revisions.insert_one({**last, "_id": "ended", **deletion})
    assert shell.ok("doctor").endswith(", 0 problems")


def test_derived_keys_that_an_earlier_version_did_not_store_are_added(shell: CommandLine, directory: Raw) -> None:
    made = directory.models.find_one({"_id": "m1"})
    new = ("rows", "readable", "tag_line", "capability_line")
    directory.models.update_one({"_id": "m1"}, {"$unset": {f"keys.{name}": "" for name in new}})
    assert f"model 'm1' has stale derived keys: {', '.join(new)}" in "\n".join(lines_of(shell.run("doctor")))
    shell.ok("doctor", "--repair")
    assert directory.models.find_one({"_id": "m1"}) == made


def test_a_number_in_the_place_of_true_is_stale(shell: CommandLine, directory: Raw) -> None:
    made = directory.models.find_one({"_id": "m1"})
    directory.models.update_one({"_id": "m1"}, {"$set": {"keys.rows": Int64(1)}})
    assert "model 'm1' has stale derived keys: rows" in "\n".join(lines_of(shell.run("doctor")))
    shell.ok("doctor", "--repair")
    repaired = directory.models.find_one({"_id": "m1"}) or {}
    assert (repaired["keys"]["rows"] is True, repaired) == (True, made)


def test_every_kind_is_counted_and_shows_examples_of_its_own(shell: CommandLine, directory: Raw) -> None:
    many = EXAMPLES + 5
    sound = directory.models.find_one({"_id": "m0"}) or {}
    directory.models.insert_many([{**sound, "_id": f"n{number:02}", "extra": 1} for number in range(many)])
    directory.models.update_many({}, {"$set": {"keys.text": "x"}})
    directory.models.insert_one({**sound, "_id": ObjectId()})
    lines = lines_of(shell.run("doctor"))
    assert f"malformed records: {many}" in lines
    assert f"stale derived keys: {many + 3}" in lines
    assert "ids that are not text: 1" in lines
    for problem in ("is malformed", "stale derived keys: text"):
        assert sum(problem in line for line in lines) == EXAMPLES
    assert lines[-1] == f"{DOCUMENTS_STORED + many} documents examined, {2 * many + 4} problems"
    shell.run("doctor", "--repair")
    assert directory.models.count_documents({"keys.text": "x", "_id": {"$type": "string"}}) == 0


def test_the_doctor_needs_no_index_and_no_validator(mongo_uri: str, stored: Raw, tmp_path: Path) -> None:
    fresh = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=f"{NAME}_fresh")
    assert fresh.ok("doctor", "--repair") == "0 documents examined, 0 problems, 0 repaired"
