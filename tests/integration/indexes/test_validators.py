"""The validators: the database refuses records that do not have the declared shape."""

from collections.abc import AsyncIterator, Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from bson import Int64
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase
from pymongo.errors import WriteError

from documents import DOCUMENTS
from documents.user import Role
from indexes.ensure import check, ensure
from indexes.validators import SHAPE, VALIDATORS
from service.auth.authentication import Authenticator
from service.database.client import Database
from service.web.sessions import begin_session
from tests.conftest import DATABASE
from tests.support.commands import CommandLine
from tests.support.directory import Directory, grant, model

Raw = SyncDatabase[dict[str, Any]]
Change = Callable[[dict[str, Any]], Any]
MODEL = "/api/models/model"
READY = "/health/ready"


@pytest.fixture(scope="module")
def validated_raw(mongo_uri: str) -> Iterator[Raw]:
    """The database under test through PyMongo, with validation of every write."""
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        yield client[DATABASE]


@pytest.fixture
async def filled(directory: Directory, tmp_path: Path) -> Directory:
    """A directory with a record in every collection."""
    await directory.group("team")
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann", groups=["team"])
    # It is stored under a lock, which has a record of its own.
    await directory.key("ann", name="another")
    await directory.load({"models": [model("m", "ann", access_grants=[grant("group:team")])]}, tmp_path)
    assert (await directory.post("/api/groups/update", "root", {"id": "team", "name": "T"})).status_code == 200
    sent = await directory.post("/api/models/import", "ann", {"models": []}, once="k")
    assert sent.status_code == 200
    caller = await Authenticator(directory.database).resolve(f"Bearer {await directory.key('ann')}")
    await begin_session(directory.database, caller)
    return directory


def setting(path: str, value: Any) -> Change:
    """Return the update that sets one field; a path can lead through lists."""

    def change(record: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for name in way:
            record = record[int(name)] if isinstance(record, list) else record[name]
        record[last] = value

    change.__name__ = f"{path}={value!r:.20}"
    return change


def without(path: str) -> Change:
    """Return the update that removes one field."""

    def change(record: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for name in way:
            record = record[int(name)] if isinstance(record, list) else record[name]
        del record[last]

    change.__name__ = f"without {path}"
    return change


WRONG = [
    *(("models", without(field)) for field in ("keys", "keys.readers", "user_id", "base_model_id", "version")),
    ("models", without("params")),
    ("models", setting("created_at", "2026-01-01T00:00:00Z")),
    ("models", setting("updated_at", 1_700_000_000)),
    ("models", setting("version", 1)),
    ("models", setting("version", 1.0)),
    ("models", setting("version", Int64(0))),
    ("models", setting("is_active", 1)),
    ("models", setting("owner", "ann")),
    ("models", setting("name", "")),
    ("models", setting("name", "n" * 513)),
    ("models", setting("user_id", "an n")),
    ("models", setting("user_id", "ann\n")),
    ("models", setting("meta", None)),
    ("models", setting("params", "{}")),
    ("models", setting("access_grants", {})),
    ("models", without("access_grants.0.id")),
    ("models", setting("access_grants.0.permission", "admin")),
    ("models", setting("access_grants.0.principal_type", "robot")),
    ("models", setting("access_grants.0.since", 5)),
    ("models", setting("keys.owner", "x")),
    ("models", setting("keys.tags", "x")),
    ("users", without("keys")),
    ("users", without("role")),
    ("users", setting("role", "owner")),
    ("users", setting("group_ids", "team")),
    ("users", setting("group_ids", [5])),
    ("users", setting("is_active", "yes")),
    ("users", setting("password", "x")),
    ("users", setting("email", "x")),
    ("groups", setting("parent_id", 5)),
    ("groups", setting("created_at", "today")),
    ("groups", without("name")),
    ("api_keys", setting("sha256", "x" * 64)),
    ("api_keys", setting("scope", "all")),
    ("api_keys", setting("expires_at", "never")),
    ("api_keys", without("expires_at")),
    ("revisions", setting("change", "magic")),
    ("revisions", setting("version", 1)),
    ("revisions", without("after")),
    ("revisions", setting("fields", "name")),
    ("idempotent_requests", setting("answer", "x")),
    ("idempotent_requests", setting("status", 200)),
    ("idempotent_requests", setting("attempt", None)),
    ("idempotent_requests", without("expires_at")),
    ("guards", setting("changes", 1)),
    ("guards", setting("changes", Int64(-1))),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("collection", "wrong"), WRONG, ids=lambda value: getattr(value, "__name__", value))
async def test_the_database_refuses_what_is_written_by_hand_in_a_wrong_shape(
    filled: Directory, validated_raw: Raw, collection: str, wrong: Change
) -> None:
    record = validated_raw[collection].find_one({})
    assert record is not None
    kept = deepcopy(record)
    validated_raw[collection].replace_one({"_id": record["_id"]}, record)
    wrong(record)
    with pytest.raises(WriteError) as replaced:
        validated_raw[collection].replace_one({"_id": record["_id"]}, record)
    validated_raw[collection].delete_one({"_id": record["_id"]})
    with pytest.raises(WriteError) as inserted:
        validated_raw[collection].insert_one(record)
    assert (replaced.value.code, inserted.value.code) == (121, 121)
    validated_raw[collection].insert_one(kept)


@pytest.mark.parametrize("value", [{"$a.b": [1, None, {"c": 1.5}]}, {}, {"tags": 5, "x": Int64(2**62)}], ids=str)
async def test_free_form_values_stay_free(filled: Directory, validated_raw: Raw, value: dict[str, Any]) -> None:
    validated_raw.models.replace_one(
        {"_id": "m"}, {**(validated_raw.models.find_one() or {}), "params": value, "meta": value}
    )


async def test_users_and_groups_stored_by_earlier_versions_can_still_be_written(
    filled: Directory, validated_raw: Raw
) -> None:
    marks = {"$unset": {"leaving": 1, "rekey_pending": 1, "keys.text": 1}}
    assert validated_raw.users.update_one({"_id": "ann"}, marks).modified_count == 1
    assert validated_raw.groups.update_one({"_id": "team"}, {"$unset": {"leaving": 1}}).modified_count == 1
    answer = await filled.post("/api/users/update", "root", {"id": "ann", "name": "Ann B"})
    assert answer.status_code == 200


async def test_the_longest_id_can_be_locked(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    longest = "u" * 256
    await directory.user(longest)
    body = {"user_id": longest, "name": "k"}
    assert (await directory.post("/api/users/keys/create", "root", body)).status_code == 200


@pytest.mark.parametrize(
    ("change", "reported"),
    [({"$set": {"name": "n" * 600}}, "declared schema"), ({"$set": {"embedding": [1]}}, "embedding")],
    ids=["too long", "unknown"],
)
async def test_a_change_of_what_only_the_database_finds_malformed_is_answered_clearly(
    filled: Directory, raw: Raw, change: dict[str, Any], reported: str
) -> None:
    raw.models.update_one({"_id": "m"}, change)
    answer = await filled.post(f"{MODEL}/toggle", "ann", id="m")
    assert answer.status_code == 409
    assert reported in answer.json()["detail"]
    assert raw.revisions.count_documents({"model_id": "m"}) == 1


async def test_a_record_that_the_database_refuses_fails_alone(filled: Directory, raw: Raw, tmp_path: Path) -> None:
    await filled.load({"models": [model("sound", "ann")]}, tmp_path)
    raw.models.update_one({"_id": "m"}, {"$set": {"name": "n" * 600}})
    answer = await filled.post("/api/models/bulk/state", "ann", {"ids": ["m", "sound"], "is_active": False})
    results = {result["id"]: result for result in answer.json()["results"]}
    assert (results["m"]["status"], results["sound"]["status"]) == ("failed", "changed")
    assert "name" in results["m"]["detail"]


async def test_an_import_leaves_a_record_with_fields_of_its_own_alone(
    filled: Directory, raw: Raw, tmp_path: Path
) -> None:
    raw.models.update_one({"_id": "m"}, {"$set": {"embedding": [1]}})
    report = await filled.load({"models": [model("m", "ann", name="New"), model("other", "ann")]}, tmp_path)
    assert not report.clean
    assert "embedding" in "\n".join(map(str, report.faults()))
    assert raw.models.count_documents({"name": "New"}) == 0
    assert raw.models.count_documents({"_id": "other"}) == 1


@pytest.fixture
async def declared_again(mongod: Database, raw: Raw) -> AsyncIterator[None]:
    """Restore the declared validators after a test."""
    yield
    for collection, validator in VALIDATORS.items():
        options = {"validationLevel": "strict", "validationAction": "error"}
        raw.command({"collMod": collection, "validator": validator, **options})
    assert await check(mongod) == []


@pytest.mark.usefixtures("declared_again")
async def test_a_validator_is_set_where_records_violate_it_already(filled: Directory, raw: Raw) -> None:
    raw.command("collMod", "models", validator={})
    raw.models.update_one({"_id": "m"}, {"$unset": {"keys": 1}})
    assert [str(drift) for drift in await check(filled.database)] == ["missing: models.$jsonSchema (strict, error)"]
    assert (await filled.client.get(READY)).status_code == 200
    assert await ensure(filled.database) == []


@pytest.mark.usefixtures("declared_again")
async def test_a_foreign_validator_stays_and_what_it_refuses_is_reported(filled: Directory, raw: Raw) -> None:
    raw.command("collMod", "models", validator={"name": {"$ne": "Forbidden"}})
    [drift] = await ensure(filled.database)
    assert (
        str(drift) == f"different: models.$jsonSchema (declared shape {SHAPE}, found one that modeldeck did not make)"
    )
    assert (await filled.client.get(READY)).status_code == 503
    answer = await filled.post("/api/models/create", "ann", {"id": "new", "name": "Forbidden"})
    assert (answer.status_code, "modeldeck indexes check" in answer.json()["detail"]) == (409, True)


@pytest.mark.usefixtures("declared_again")
@pytest.mark.parametrize("weak", [{"validationLevel": "moderate"}, {"validationAction": "warn"}], ids=str)
async def test_a_weaker_validation_is_reported_and_left(
    filled: Directory, raw: Raw, mongo_uri: str, tmp_path: Path, weak: dict[str, str]
) -> None:
    raw.command({"collMod": "users", **weak})
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=DATABASE)
    for command in ("check", "ensure"):
        done = shell.run("indexes", command)
        assert done.status == 1
        assert done.stdout.startswith(f"different: users.{next(iter(weak))} (declared ")
    assert (await filled.client.get(READY)).status_code == 200


async def test_all_that_the_service_makes_is_of_the_declared_shape(filled: Directory) -> None:
    for document in DOCUMENTS:
        assert await filled.database.count(document, {}) > 0
        assert await filled.database.malformed(document, {}) == []
