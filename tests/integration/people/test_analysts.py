"""Analysts: what they can and can't do on a MongoDB with authorization."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase
from pymongo.errors import OperationFailure

from documents import DOCUMENTS
from indexes.dictionary.page import Query, read_queries
from indexes.views import VIEW_NAMES
from tests.support.commands import CommandLine
from tests.support.directory import grant, model
from tests.support.documentation import ROOT
from tests.support.import_samples import write_source
from tests.support.mongod_with_auth import mongod_with_auth

NAME = "modeldeck_analysts"
STAMP = "the stamp of a session"
PROMPT, IMAGE = "the secret prompt", "data:image/png;base64,iVBORw0KGgo="
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18

Client = MongoClient[dict[str, Any]]
Raw = SyncDatabase[dict[str, Any]]
Attempt = Callable[[Raw], Any]


@pytest.fixture(scope="module")
def admin_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of the administrator of a mongod with access control."""
    with mongod_with_auth(tmp_path_factory.mktemp("with_auth")) as uri:
        yield uri


@pytest.fixture(scope="module")
def shell(admin_uri: str, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("analysts"), mongodb_uri=admin_uri, database=NAME)


@pytest.fixture(scope="module")
def stored(shell: CommandLine, admin_uri: str) -> Iterator[Raw]:
    """The database as its administrator sees it: a record in each collection, and the views."""
    bundle = {
        "users": [{"id": "ann", "name": "Ann", "email": "ann@x.org"}],
        "groups": [{"id": "g", "name": "G", "member_ids": ["ann"]}],
        "models": [
            model("m", "ann", name="M", params={"system": PROMPT}, meta={"profile_image_url": IMAGE, "tags": ["t"]})
        ],
    }
    shell.ok("import", str(write_source(shell.folder, bundle)))
    shell.ok("key", "create", "--user", "ann")
    with Client(admin_uri) as client:
        raw = client[NAME]
        raw.users.update_one({}, {"$set": {"session_stamp": STAMP}})
        raw.models.update_one({}, {"$set": {"access_grants": [{"id": "a", **grant("group:g")}]}})
        client["elsewhere"].notes.insert_one({"_id": "n"})
        yield raw


def login(admin_uri: str, name: str, password: str) -> Client:
    parts = urlsplit(admin_uri)
    return Client(f"mongodb://{name}:{password}@{parts.hostname}:{parts.port}/?authSource={NAME}&directConnection=true")


@pytest.fixture(scope="module")
def analyst(shell: CommandLine, stored: Raw, admin_uri: str) -> Iterator[Raw]:
    """The database as an analyst sees it."""
    with login(admin_uri, "ana", shell.ok("analyst", "grant", "ana")) as client:
        yield client[NAME]


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_an_analyst_reads_the_views(analyst: Raw, stored: Raw, view: str) -> None:
    number = 3 if view == "people_history" else 1
    assert analyst[view].count_documents({}) == number
    counted = analyst[view].aggregate([{"$group": {"_id": None, "n": {"$sum": 1}}}])
    assert list(counted) == [{"_id": None, "n": number}]


@pytest.mark.parametrize("query", read_queries(ROOT / "docs/queries"), ids=lambda query: query.name)
def test_an_analyst_runs_the_ready_queries(analyst: Raw, query: Query) -> None:
    around: dict[str, Any] = {"db": analyst}
    if "Not for analysts" in query.remark:
        with pytest.raises(OperationFailure) as refused:
            exec(query.python, around)
        assert refused.value.code == UNAUTHORIZED, refused.value
    else:
        exec(query.python, around)


def test_an_analyst_finds_the_views_with_every_tool(analyst: Raw) -> None:
    assert {*analyst.list_collection_names()} >= {*VIEW_NAMES}
    assert {found["name"] for found in analyst.list_collections(filter={"type": "view"})} == {*VIEW_NAMES}
    # What mongosh sends for `show collections`, and Compass.
    for authorized in (False, True):
        answer = analyst.command("listCollections", nameOnly=True, authorizedCollections=authorized)
        assert {found["name"] for found in answer["cursor"]["firstBatch"]} >= {*VIEW_NAMES}
    assert [found["name"] for found in analyst.client.list_databases()] == [NAME]


def test_an_analyst_who_lists_the_collections_sees_no_content(analyst: Raw, stored: Raw) -> None:
    _shows_no_secret(stored, list(analyst.list_collections()))


BASE = (*(str(document.Settings.name) for document in DOCUMENTS), "system.views")
VIEW = VIEW_NAMES[0]


def on_view(*stages: dict[str, Any]) -> Attempt:
    return lambda raw: list(raw[VIEW].aggregate(list(stages)))


def a_command(name: str, value: Any = 1, **options: Any) -> Attempt:
    return lambda raw: raw.command(name, value, **options)


def an_admin_command(name: str, value: Any = 1, **options: Any) -> Attempt:
    return lambda raw: raw.client.admin.command(name, value, **options)


def joined(collection: str) -> dict[str, Any]:
    return {"$lookup": {"from": collection, "pipeline": [], "as": "all"}}


GRAPH = {"startWith": "$user_id", "connectFromField": "_id", "connectToField": "_id", "as": "all"}


def joins_to(collection: str) -> dict[str, list[dict[str, Any]]]:
    return {
        "lookup": [joined(collection)],
        "unionWith": [{"$unionWith": collection}],
        "graphLookup": [{"$graphLookup": {"from": collection, **GRAPH}}],
    }


FORBIDDEN: dict[str, Attempt] = {
    **{f"find {name}": lambda raw, name=name: list(raw[name].find()) for name in BASE},  # type: ignore[misc]
    **{f"aggregate {name}": lambda raw, name=name: list(raw[name].aggregate([])) for name in BASE},  # type: ignore[misc]
    **{f"count {name}": a_command("count", name) for name in BASE},
    **{f"lookup {name}": on_view(joined(name)) for name in BASE},
    **{
        f"{stage} from {view} to {name}": lambda raw, view=view, stages=stages: list(raw[view].aggregate(stages))  # type: ignore[misc]
        for view in VIEW_NAMES
        for name in ("users", "revisions", "api_keys")
        for stage, stages in joins_to(name).items()
    },
    "lookup by field": on_view(
        {"$lookup": {"from": "api_keys", "localField": "_id", "foreignField": "user_id", "as": "all"}}
    ),
    "nested lookup": on_view({"$lookup": {"from": VIEW, "pipeline": [joined("api_keys")], "as": "all"}}),
    "lookup in a facet": on_view({"$facet": {"all": [joined("api_keys")]}}),
    "unionWith": on_view({"$unionWith": "models"}),
    "unionWith and pipeline": on_view({"$unionWith": {"coll": VIEW, "pipeline": [{"$unionWith": "models"}]}}),
    "graphLookup": on_view({"$graphLookup": {"from": "models", **GRAPH}}),
    "out": on_view({"$out": "mine"}),
    "out over": on_view({"$out": "models"}),
    "merge": on_view({"$merge": "mine"}),
    "merge into": on_view({"$merge": {"into": "models", "whenMatched": "replace"}}),
    "explain find": a_command("explain", {"find": "models"}),
    "explain aggregate": a_command("explain", {"aggregate": VIEW, "pipeline": [joined("models")], "cursor": {}}),
    "distinct": lambda raw: raw.models.distinct("params.system"),
    "mapReduce": a_command("mapReduce", "models", map="function(){}", reduce="function(){}", out={"inline": 1}),
    "indexes": lambda raw: list(raw.models.list_indexes()),
    "collStats": a_command("collStats", "models"),
    "collStats stage": lambda raw: list(raw.models.aggregate([{"$collStats": {"count": {}}}])),
    "indexStats": lambda raw: list(raw.models.aggregate([{"$indexStats": {}}])),
    "planCacheStats": lambda raw: list(raw.models.aggregate([{"$planCacheStats": {}}])),
    "dbStats": a_command("dbStats"),
    "dbHash": a_command("dbHash"),
    "dataSize": a_command("dataSize", f"{NAME}.models"),
    "validate": a_command("validate", "models"),
    "system.views": lambda raw: list(raw["system.views"].find()),
    "system.profile": lambda raw: list(raw["system.profile"].find()),
    "system.users": lambda raw: list(raw.client.admin["system.users"].find()),
    "oplog": lambda raw: list(raw.client.local["oplog.rs"].find().limit(1)),
    "sessions": lambda raw: list(raw.client.config["system.sessions"].find()),
    "elsewhere": lambda raw: list(raw.client["elsewhere"].notes.find()),
    "changes": lambda raw: raw.models.watch(),
    "changes of all": lambda raw: raw.watch(),
    "changes everywhere": lambda raw: raw.client.watch(),
    "insert": lambda raw: raw.models.insert_one({"_id": "x"}),
    "insert into a view": lambda raw: raw[VIEW].insert_one({"_id": "x"}),
    "insert elsewhere": lambda raw: raw.mine.insert_one({"_id": "x"}),
    "update": lambda raw: raw.models.update_one({}, {"$set": {"name": "x"}}),
    "delete": lambda raw: raw.models.delete_many({}),
    "findAndModify": lambda raw: raw.models.find_one_and_delete({}),
    "create a view": a_command("create", "mine", viewOn="models", pipeline=[]),
    "create a collection": a_command("create", "mine"),
    "change a view": a_command("collMod", VIEW, viewOn="models", pipeline=[]),
    "drop a view": a_command("drop", VIEW),
    "drop": lambda raw: raw.command("drop", "models"),
    "drop all": a_command("dropDatabase"),
    "index": lambda raw: raw.models.create_index("name"),
    "rename": an_admin_command("renameCollection", f"{NAME}.models", to=f"{NAME}.mine"),
    "users": a_command("usersInfo"),
    "role": a_command("grantRolesToUser", "ana", roles=["read"]),
    "new user": a_command("createUser", "eve", pwd="pw", roles=[]),
    "new role": a_command("createRole", "eve", privileges=[], roles=[]),
    "own password": a_command("updateUser", "ana", pwd="mine"),
    "operations of all": lambda raw: list(raw.client.admin.aggregate([{"$currentOp": {"allUsers": True}}])),
    "log": an_admin_command("getLog", "global"),
    "options": an_admin_command("getCmdLineOpts"),
    "parameters": an_admin_command("getParameter", "*"),
    "serverStatus": an_admin_command("serverStatus"),
    "shutdown": an_admin_command("shutdown"),
    "fsync": an_admin_command("fsync"),
    "profile": a_command("profile", 2),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_an_analyst_can_do_nothing_else(analyst: Raw, stored: Raw, what: str) -> None:
    with pytest.raises(OperationFailure) as refused:
        FORBIDDEN[what](analyst)
    assert refused.value.code == UNAUTHORIZED, refused.value
    assert stored.models.count_documents({"params.system": PROMPT}) == 1


SECRETS = ("params", "meta", "before", "after", "sha256", "session_stamp", "image_kept", "access_grants")


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_no_view_shows_a_secret_however_it_is_asked(analyst: Raw, stored: Raw, view: str) -> None:
    shown: list[Any] = [
        list(analyst[view].find()),
        analyst.command("explain", {"find": view}, verbosity="allPlansExecution"),
        *(analyst[view].distinct(field) for field in SECRETS),
    ]
    for other in VIEW_NAMES:
        stages = [*joins_to(other).values(), [{"$facet": {"all": [joined(other)]}}]]
        shown += [list(analyst[view].aggregate(stage)) for stage in stages]
    _shows_no_secret(stored, shown)
    # Of people, these hold neither content nor secrets.
    sides = {"before", "after"} if view == "people_history" else set()
    for field in {*SECRETS} - sides:
        assert analyst[view].count_documents({field: {"$exists": True}}) == 0
        assert analyst[view].count_documents({"$expr": {"$ne": [{"$type": f"${field}"}, "missing"]}}) == 0
        for expression in (f"${field}", f"$$ROOT.{field}", f"$$CURRENT.{field}"):
            got = list(analyst[view].aggregate([{"$project": {"_id": 0, "got": expression}}]))
            assert not any(got), got


def _shows_no_secret(stored: Raw, shown: Any) -> None:
    [key] = stored.api_keys.find()
    [revision] = stored.revisions.find()
    # Otherwise there would be nothing to see.
    assert PROMPT in str(revision)
    assert IMAGE in str(revision)
    assert not [secret for secret in (PROMPT, IMAGE, STAMP, key["sha256"], key["_id"]) if secret in str(shown)]


def test_a_view_shows_no_more_than_it_projects(analyst: Raw) -> None:
    for expression in ("$params", "$params.system", "$$ROOT.params", "$$CURRENT.params.system"):
        assert list(analyst[VIEW].aggregate([{"$project": {"_id": 0, "got": expression}}])) == [{}]
    assert analyst[VIEW].count_documents({"params.system": {"$exists": True}}) == 0


FUNCTION = {"body": "function() { while (true) {} }", "args": [], "lang": "js"}
ACCUMULATOR = {**dict.fromkeys(("init", "accumulate", "merge"), FUNCTION["body"]), "accumulateArgs": [], "lang": "js"}


@pytest.mark.parametrize(
    "stage",
    [
        {"$set": {"got": {"$function": FUNCTION}}},
        {"$group": {"_id": None, "got": {"$accumulator": ACCUMULATOR}}},
    ],
    ids=["$function", "$accumulator"],
)
def test_an_analyst_runs_no_javascript_where_the_database_has_none(analyst: Raw, stage: dict[str, Any]) -> None:
    with pytest.raises(OperationFailure, match=r"(?i)javascript|server-side"):
        list(analyst[VIEW].aggregate([stage]))


def test_a_password_is_printed_alone_and_once(shell: CommandLine, stored: Raw, admin_uri: str) -> None:
    done = shell.run("analyst", "grant", "once")
    assert (done.status, done.stderr, len(done.stdout.split())) == (0, "", 1)
    again = shell.run("analyst", "grant", "once")
    assert (again.status, again.stdout) == (2, "")
    assert "is already an analyst; for a new password, run modeldeck analyst revoke" in again.stderr
    with login(admin_uri, "once", done.stdout.strip()) as client:
        assert client[NAME][VIEW].count_documents({}) == 1


def test_a_password_of_ones_own_is_read_and_not_printed(shell: CommandLine, stored: Raw, admin_uri: str) -> None:
    own = secrets.token_urlsafe(16)
    assert shell.ok("analyst", "grant", "own", "--password-stdin", stdin=f"{own}\n") == ""
    with login(admin_uri, "own", own) as client:
        assert client[NAME][VIEW].count_documents({}) == 1


@pytest.mark.parametrize("password", ["", "short", "pässword-that-is-long"])
def test_an_invalid_password_is_refused(shell: CommandLine, stored: Raw, password: str) -> None:
    done = shell.run("analyst", "grant", "none", "--password-stdin", stdin=password)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("modeldeck: password: must be 12 to 512 printable ASCII characters")
    assert stored.command("usersInfo", "none")["users"] == []


@pytest.mark.parametrize("name", ["", "a b", "-x", "a" * 65, "$where", "ä"])
def test_an_invalid_name_is_refused(shell: CommandLine, stored: Raw, name: str) -> None:
    done = shell.run("analyst", "grant", "--", name)
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("modeldeck: name: ")


def test_a_revoked_analyst_reads_nothing_over_an_open_connection(
    shell: CommandLine, stored: Raw, admin_uri: str
) -> None:
    password = shell.ok("analyst", "grant", "gone")
    with login(admin_uri, "gone", password) as client:
        assert client[NAME][VIEW].count_documents({}) == 1
        assert shell.ok("analyst", "revoke", "gone") == ""
        with pytest.raises(OperationFailure) as refused:
            client[NAME][VIEW].count_documents({})
        assert refused.value.code in (UNAUTHORIZED, AUTHENTICATION_FAILED)
    again = shell.run("analyst", "revoke", "gone")
    assert (again.status, again.stderr) == (2, "modeldeck: There is no analyst 'gone'.\n")
    assert shell.ok("analyst", "grant", "gone") != password


def test_a_database_user_who_is_something_else_is_left_alone(shell: CommandLine, stored: Raw) -> None:
    stored.command("createUser", "service", pwd="pw-of-service", roles=["readWrite", "modeldeck_analyst"])
    for command in ("grant", "revoke"):
        done = shell.run("analyst", command, "service")
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr == "modeldeck: The database user 'service' already exists, and is not an analyst.\n"
    [kept] = stored.command("usersInfo", "service")["users"]
    assert len(kept["roles"]) == 2


def test_a_role_that_somebody_widened_is_made_as_it_should_be(shell: CommandLine, stored: Raw, analyst: Raw) -> None:
    stored.command("grantRolesToRole", "modeldeck_analyst", roles=["read"])
    assert analyst.models.count_documents({}) == 1
    shell.ok("analyst", "grant", "next")
    with pytest.raises(OperationFailure):
        analyst.models.count_documents({})


def test_a_database_user_without_the_right_to_manage_users_is_refused(
    stored: Raw, admin_uri: str, tmp_path: Path
) -> None:
    roles = ["readWrite", "dbAdmin"]
    stored.command("createUser", "limited", pwd="pw-of-limited", roles=roles)
    parts = urlsplit(admin_uri)
    uri = f"mongodb://limited:pw-of-limited@{parts.hostname}:{parts.port}/?authSource={NAME}&directConnection=true"
    done = CommandLine(tmp_path, mongodb_uri=uri, database=NAME).run("analyst", "grant", "eve")
    assert (done.status, done.stdout) == (2, "")
    assert "needs the role userAdmin" in done.stderr
    assert stored.command("usersInfo", "eve")["users"] == []


def test_the_service_without_the_right_to_set_validators_says_so_and_goes_on(
    stored: Raw, admin_uri: str, tmp_path: Path
) -> None:
    new = f"{NAME}_new"
    # Without dbAdmin, a collection may be created with its validator, but not changed.
    stored.client[new].create_collection("models")
    stored.command("createUser", "plain", pwd="pw-of-plain", roles=[{"role": "readWrite", "db": new}])
    parts = urlsplit(admin_uri)
    uri = f"mongodb://plain:pw-of-plain@{parts.hostname}:{parts.port}/?authSource={NAME}&directConnection=true"
    shell = CommandLine(tmp_path, mongodb_uri=uri, database=new)
    done = shell.run("indexes", "ensure")
    assert done.status == 1
    assert "missing: models.$jsonSchema" in done.stdout
    assert "may not set up models; this takes the actions create and collMod" in done.stderr
    shell.ok("group", "add", "--name", "G")


def test_where_nobody_is_limited_there_are_no_analysts(mongo_uri: str, tmp_path: Path) -> None:
    done = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME).run("analyst", "grant", "ana")
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith("modeldeck: This MongoDB has no authorization")
    with Client(mongo_uri) as client:
        assert client[NAME].command("usersInfo")["users"] == []


def test_the_embedded_mongodb_has_no_analysts_and_is_not_started_for_them(tmp_path: Path) -> None:
    for command in ("grant", "revoke"):
        done = CommandLine(tmp_path).run("analyst", command, "ana")
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr.startswith("modeldeck: This MongoDB has no authorization")
    assert not (tmp_path / ".modeldeck").exists()


def test_a_mongodb_with_users_but_without_authorization_is_detected(mongo_uri: str, tmp_path: Path) -> None:
    with Client(mongo_uri) as client:
        client.admin.command("createUser", "operator", pwd="pw-of-operator", roles=["root"])
        try:
            uri = mongo_uri.replace("mongodb://", "mongodb://operator:pw-of-operator@", 1)
            uri += f"{'&' if '?' in uri else '?'}authSource=admin"
            done = CommandLine(tmp_path, mongodb_uri=uri, database=NAME).run("analyst", "grant", "ana")
            assert (done.status, done.stdout) == (2, "")
            assert done.stderr.startswith("modeldeck: This MongoDB has no authorization")
            assert client[NAME].command("usersInfo")["users"] == []
        finally:
            client.admin.command("dropUser", "operator")
