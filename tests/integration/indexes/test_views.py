"""The rows of the views, compared with a computation in Python and with the responses of the service."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database as SyncDatabase

from documents import ModelRecord, User
from documents.revision import ChangeKind
from indexes.views import VIEWS
from service.auth import access_rule
from service.auth.authentication import _active_caller, user_pipeline
from service.database.client import Database
from service.errors import UnauthorizedError
from tests.conftest import empty, settings_in
from tests.support import expected_people, expected_views
from tests.support.directory import LIST, Directory, grant, model
from tests.support.every_case import repetitions
from tests.support.expected_people import with_lists_sorted
from tests.support.expected_views import in_any_order
from tests.support.oracle import Oracle
from tests.support.random_directory import RandomDirectory

Raw = SyncDatabase[dict[str, Any]]

SEEDS = [11, 12, 13][: repetitions(1, 3)]
MODELS = repetitions(60, 120)
STAMP = "stamp of a session"
IMAGE = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module", params=SEEDS)
async def filled(
    request: pytest.FixtureRequest, real_database: Database, raw: Raw, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RandomDirectory]:
    """A directory with inactive users, users and groups that are being deleted, and a history."""
    folder = tmp_path_factory.mktemp("random_directory")
    empty(raw)
    async with Directory.on(real_database, settings_in(folder)) as directory:
        random_directory = await RandomDirectory.fill(directory, folder, MODELS, request.param)
        chance = random.Random(request.param)
        _add_special_records(random_directory, raw, chance)
        _add_history(random_directory, raw, chance)
        yield random_directory


def _add_special_records(random_directory: RandomDirectory, raw: Raw, chance: random.Random) -> None:
    # With the API keys of admins the service is asked.
    admins = raw.users.distinct("_id", {"role": "admin"})
    for key in raw.api_keys.find({"user_id": {"$nin": admins}}):
        days = [chance.choice([None, timedelta(days=chance.choice([-9, -1, 1, 9]))]) for _ in range(2)]
        ends, used = (None if day is None else datetime(2024, 3, 1, tzinfo=UTC) + day * 400 for day in days)
        raw.api_keys.update_one({"_id": key["_id"]}, {"$set": {"expires_at": ends, "last_used_at": used}})
    for user_id in chance.sample(random_directory.callers, 6):
        raw.users.update_one({"_id": user_id}, {"$set": {"is_active": False, "leaving": chance.random() < 0.5}})
    raw.users.update_many({}, {"$set": {"session_stamp": STAMP}})
    for group in chance.sample(random_directory.generator.groups, 3):
        raw.groups.update_one({"_id": group["id"]}, {"$set": {"leaving": True}})
    metas: list[dict[str, Any]] = [
        {"profile_image_url": IMAGE, "description": "Draws.", "capabilities": {"vision": True, "usage": False}},
        {"profile_image_url": "", "capabilities": {"a.b": True, "$c": True, "n": 1}},
        {"profile_image_url": "https://example.org/x.png", "tags": [{"name": "Only"}]},
    ]
    for made, meta in zip(random_directory.generator.models, metas, strict=False):
        tags = [tag["name"].lower() for tag in meta.get("tags", [])]
        capabilities = sorted(name for name, has in meta.get("capabilities", {}).items() if has is True)
        derived = {"keys.tags": tags, "keys.capabilities": capabilities}
        raw.models.update_one({"_id": made["id"]}, {"$set": {"meta": meta, **derived}})
    raw.models.update_one(
        {"_id": random_directory.generator.models[5]["id"]}, {"$set": {"params": {"system": ["no", "text"]}}}
    )


def _add_history(random_directory: RandomDirectory, raw: Raw, chance: random.Random) -> None:
    start = datetime(2024, 2, 27, 23, 59, 59, tzinfo=UTC)
    raw.revisions.insert_many(
        {
            "_id": f"r{number}",
            "model_id": chance.choice(random_directory.generator.models[:20])["id"],
            "version": 1000 + number,
            "at": start + timedelta(seconds=chance.choice([0, 1, 86_400, chance.randrange(6 * 86_400)])),
            "by": chance.choice([None, *random_directory.callers[:3]]),
            "change": chance.choice(list(ChangeKind)).value,
            **_sides(random_directory, chance),
        }
        for number in range(300)
    )


def _sides(random_directory: RandomDirectory, chance: random.Random) -> dict[str, Any]:
    """Return what a revision holds of the content before and after: in the current form, or in an earlier one."""
    one, other = (_content(random_directory, chance) for _ in range(2))
    names = sorted(chance.sample(sorted(one), 3))
    kept = {"user_id": one["user_id"]}
    partly = [{**kept, **{name: side[name] for name in names}} for side in (one, other)]
    forms: list[dict[str, Any]] = [
        {"fields": names, "before": partly[0], "after": partly[1]},
        {"before": one, "after": {**other, "name": one["name"]}},
        {"fields": None, "before": None, "after": other},
        {"fields": None, "before": one, "after": None},
        # As another system recorded it.
        {"fields": names, "before": None, "after": chance.choice([other, {"name": "N"}])},
    ]
    return chance.choice(forms)


def _content(random_directory: RandomDirectory, chance: random.Random) -> dict[str, Any]:
    principals = ["user:*", *(f"user:{user}" for user in random_directory.callers[:2]), "group:g", "group:gone"]
    granted = [grant(one, permission) for one in chance.sample(principals, 3) for permission in ("read", "write")]
    return {
        "user_id": chance.choice(random_directory.callers[:3]),
        "base_model_id": None,
        "name": chance.choice("AB"),
        "params": {"system": "secret of the past"},
        "meta": {"profile_image_url": IMAGE, "tags": []},
        "access_grants": [{"id": f"a{number}", **one} for number, one in enumerate(chance.sample(granted, 3))],
        "is_active": chance.random() < 0.5,
    }


def _rows(raw: Raw, view: str, **query: Any) -> list[dict[str, Any]]:
    return list(raw[view].find(query))


def _access(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, set[tuple[str, str, str, str]]]]:
    found = {
        (row["user_id"], row["model_id"]): (
            row["permission"],
            {(path["kind"], path["permission"], path["through_id"], path["group_id"]) for path in row["paths"]},
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


EXPECTED = {
    "models_flat": expected_views.models_flat,
    "models_by_name": expected_views.models_flat,
    "model_grants": expected_views.model_grants,
    "people": expected_people.people,
    "group_tree": expected_people.group_tree,
    "keys_flat": expected_people.keys_flat,
    "changes": expected_views.changes,
    "access_changes": expected_views.access_changes,
    "people_history": expected_people.people_history,
    "daily_changes": expected_views.daily_changes,
}


@pytest.mark.parametrize("view", EXPECTED)
async def test_a_view_has_the_expected_rows(filled: RandomDirectory, raw: Raw, view: str) -> None:
    expected = [with_lists_sorted(row) for row in EXPECTED[view](raw)]
    assert len(expected) > 10
    assert in_any_order(map(with_lists_sorted, _rows(raw, view))) == in_any_order(expected)


async def test_models_by_name_are_in_the_order_of_the_list(filled: RandomDirectory, raw: Raw) -> None:
    ids = [row["_id"] for row in raw.models_by_name.find()]
    admin = next(user["_id"] for user in raw.users.find({"role": "admin", "is_active": True}))
    listed = await filled.directory.get(LIST, admin, order_by="name", direction="asc", page_size=100)
    assert ids[:100] == [item["id"] for item in listed.json()["items"]]


async def test_views_and_the_list_count_the_models_of_a_tag_alike(filled: RandomDirectory, raw: Raw) -> None:
    admin = next(user["_id"] for user in raw.users.find({"role": "admin", "is_active": True}))
    rows = _rows(raw, "tag_usage")
    assert len(rows) > 10
    for tag in (row["tag"] for row in rows):
        listed = await filled.directory.get(LIST, admin, tag=tag, page_size=1)
        [usage] = [row["models"] for row in rows if row["tag"] == tag]
        found = [raw.models_flat.count_documents({field: tag}) for field in ("keys.tags", "folded_tags")]
        assert [*found, usage] == 3 * [listed.json()["total"]], tag


async def test_the_usage_of_tags_has_the_expected_rows(filled: RandomDirectory, raw: Raw) -> None:
    rows, ways = _rows(raw, "tag_usage"), expected_views.tag_spellings(raw)
    shown = {row["tag"]: row.pop("shown_as") for row in rows}
    assert in_any_order(rows) == in_any_order(expected_views.tag_usage(raw))
    assert all(shown[tag] in {*ways[tag], tag} for tag in ways)
    assert any(shown[tag] != tag for tag in ways)


@pytest.mark.parametrize("view", ["effective_access", "effective_access_by_model"])
async def test_access_is_what_the_oracle_says(filled: RandomDirectory, raw: Raw, view: str) -> None:
    active = {user["_id"]: user["is_active"] for user in raw.users.find()}
    users = [{**user, "is_active": active[user["id"]]} for user in filled.generator.users if user["id"] in active]
    oracle = Oracle(users, filled.generator.groups, [_bundled(record) for record in raw.models.find()])
    expected = {
        (user_id, made["id"]): (
            permission,
            {(kind, allowed, via[0] if via else None, via[-1] if via else None) for kind, allowed, via in paths},
        )
        for made in filled.generator.models
        for user_id, (permission, paths) in oracle.readers(made["id"]).items()
    }
    assert len(expected) > MODELS
    assert _access(_rows(raw, view)) == expected


def _bundled(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": record["_id"], "user_id": record["user_id"], "access_grants": record["access_grants"]}


@pytest.mark.parametrize("view", ["effective_access", "effective_access_by_model"])
async def test_access_is_what_the_service_grants(filled: RandomDirectory, raw: Raw, view: str) -> None:
    rows = await _granted(filled.directory.database, raw)
    assert {key: permission for key, (permission, _) in _access(_rows(raw, view)).items()} == rows


async def test_the_models_that_users_may_read_are_counted(filled: RandomDirectory, raw: Raw) -> None:
    expected = Counter(user_id for user_id, _ in await _granted(filled.directory.database, raw))
    assert {row["user_id"]: row["readable"] for row in _rows(raw, "access_counts")} == expected


async def _granted(database: Database, raw: Raw) -> dict[tuple[str, str], str]:
    found = {}
    for user in raw.users.find():
        try:
            caller = _active_caller((await database.aggregate(User, user_pipeline(user["_id"])))[0])
        except UnauthorizedError:
            continue
        for record in await database.find(ModelRecord, access_rule.readable(caller), fields=["keys.writers"]):
            found[user["_id"], record["_id"]] = "write" if access_rule.can_write(caller, record) else "read"
    return found


async def test_filters_find_the_same_rows(filled: RandomDirectory, raw: Raw) -> None:
    everything = _rows(raw, "effective_access")
    chance = random.Random(1)
    for made in chance.sample(filled.generator.models, 2):
        expected = in_any_order(row for row in everything if row["model_id"] == made["id"])
        for view in ("effective_access", "effective_access_by_model"):
            assert in_any_order(_rows(raw, view, model_id=made["id"])) == expected
    for user_id in chance.sample(filled.callers, 2):
        expected = in_any_order(row for row in everything if row["user_id"] == user_id)
        for view in ("effective_access", "effective_access_by_model"):
            assert in_any_order(_rows(raw, view, user_id=user_id)) == expected
    grants = _rows(raw, "model_grants")
    for one in chance.sample(grants, 5):
        expected = in_any_order(row for row in grants if row["principal_id"] == one["principal_id"])
        principal = f"{one['principal_type']}:{one['principal_id']}"
        narrowed = {"principal_id": one["principal_id"], "keys.readers": {"$in": [principal, *_either(one)]}}
        assert in_any_order(raw.model_grants.find(narrowed)) == expected
    days = _rows(raw, "daily_changes")
    some = {"$gte": datetime(2024, 2, 28, tzinfo=UTC), "$lt": datetime(2024, 3, 2, tzinfo=UTC)}
    expected = in_any_order(row for row in days if some["$gte"] <= row["day"] < some["$lt"])
    assert in_any_order(_rows(raw, "daily_changes", day=some)) == expected
    assert 0 < len(expected) < len(days)


def _either(row: dict[str, Any]) -> list[str]:
    # Some groups have the id of a user.
    return [f"{kind}:{row['principal_id']}" for kind in ("user", "group")]


async def test_rows_have_the_declared_columns_in_their_order(filled: RandomDirectory, raw: Raw) -> None:
    for view in VIEWS:
        declared = list(dict.fromkeys(column.name.partition(".")[0] for column in view.columns))
        for row in raw[view.name].find().limit(50):
            assert list(row) == declared, view.name
    path = next(row["paths"][0] for row in raw.effective_access.find() if row["paths"])
    [access_view] = [view for view in VIEWS if view.name == "effective_access"]
    nested = [column.name.partition(".")[2] for column in access_view.columns if "." in column.name]
    assert list(path) == nested


async def test_views_hold_nothing_that_is_large_or_secret(filled: RandomDirectory, raw: Raw) -> None:
    emails = {user["email"] for user in raw.users.find()}
    hashes = {key["sha256"] for key in raw.api_keys.find()}
    for view in VIEWS:
        rows = _rows(raw, view.name)
        for row in rows:
            for shown in ("owner_email", "email"):
                row.pop(shown, None)
            row.get("keys", {}).pop("email", None)
        text = repr(rows)
        assert not any(secret in text for secret in (IMAGE, "secret of", STAMP, *emails, *hashes)), view.name


MALFORMED: list[tuple[str, dict[str, Any]]] = [
    *(
        ("models", {"$unset": {field: 1}})
        for field in ("name", "meta", "params", "access_grants", "is_active", "keys", "user_id", "created_at")
    ),
    *(
        ("models", {"$set": {field: value}})
        for field, value in (
            ("meta", [{"tags": 1}]),
            ("meta.tags", ["a", {"name": 1}, {"name": "b"}, None]),
            ("meta.capabilities", ["vision"]),
            ("meta.profile_image_url", {"a": 1}),
            ("params", "text"),
            ("access_grants", ["x", None, {"principal_type": "user", "principal_id": ["*"], "permission": "read"}]),
            ("access_grants", {"principal_type": "user", "principal_id": "*", "permission": "read"}),
            ("keys.readers", "user:*"),
            ("keys.writers", "user:*"),
            ("keys.readers", ["user:*", 1, None, {}]),
            ("keys.tags", "tag"),
            ("name", 5),
            ("version", "one"),
        )
    ),
    *(
        ("users", {"$set": {field: value}})
        for field, value in (
            ("group_ids", "low"),
            ("group_ids", [None, 1, "low"]),
            ("is_active", [True]),
            ("is_active", "yes"),
            ("role", ["admin"]),
            ("name", None),
            ("leaving", True),
        )
    ),
    *(
        ("groups", {"$set": {field: value}})
        for field, value in (("parent_id", ["top", 1]), ("parent_id", "low"), ("parent_id", "gone"), ("name", None))
    ),
    ("groups", {"$unset": {"parent_id": 1}}),
    ("groups", {"$set": {"leaving": True}}),
    *(
        ("revisions", {"$set": {field: value}})
        for field, value in (
            ("before", "text"),
            ("before", {"access_grants": "x", "user_id": 5}),
            ("after", None),
            ("after.access_grants", [{"principal_type": "user", "principal_id": "*"}, None, "x"]),
            ("after.user_id", "*"),
            ("fields", "access_grants"),
            ("version", "one"),
            ("at", "yesterday"),
            ("by", ["ann"]),
            ("model_id", None),
        )
    ),
    *(
        ("api_keys", {"$set": {field: value}})
        for field, value in (("expires_at", "soon"), ("user_id", ["ann"]), ("last_used_at", 5), ("name", None))
    ),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("collection", "change"), MALFORMED, ids=str)
async def test_what_others_wrote_malformed_gives_the_rights_that_it_gives_in_the_service(
    directory: Directory, raw: Raw, tmp_path: Path, collection: str, change: dict[str, Any]
) -> None:
    for group, parent in (("top", None), ("low", "top"), ("aside", None)):
        await directory.group(group, parent)
    for user in ("ann", "low"):
        await directory.user(user, groups=["low"])
    models = [
        model("m", "low", access_grants=[grant("user:ann"), grant("group:top", "write")], meta={"tags": ["x"]}),
        model("sound", "ann", access_grants=[grant("group:low")], meta={"tags": ["y"]}),
    ]
    assert (await directory.load({"models": models}, tmp_path)).clean
    await directory.key("ann")
    odd = {"principal_type": "user", "principal_id": 5, "before": {"group_ids": "low"}, "after": ["low"]}
    raw.people_changes.insert_one({"_id": "odd", "at": "yesterday", **odd})
    of = {"models": {"_id": "m"}, "users": {"_id": "low"}, "groups": {"_id": "low"}, "revisions": {"model_id": "m"}}
    assert raw[collection].update_one(of.get(collection, {}), change).matched_count == 1

    expected = await _granted(directory.database, raw)
    for view in ("effective_access", "effective_access_by_model"):
        rows = _access(_rows(raw, view))
        assert {key: permission for key, (permission, _) in rows.items()} == expected
        assert _rows(raw, view, user_id="ann")
    assert {row["user_id"]: row["readable"] for row in _rows(raw, "access_counts") if row["readable"]} == Counter(
        user_id for user_id, _ in expected
    )
    assert all(_rows(raw, view.name) for view in VIEWS if view.name != "daily_changes")
    assert {row["_id"] for row in _rows(raw, "models_flat")} == {"m", "sound"}
    # Changes without a sensible time belong to no day, see below.
    assert {row["model_id"] for row in _rows(raw, "access_changes")} >= {"sound"}
    assert {row["_id"] for row in _rows(raw, "changes")} == {row["_id"] for row in raw.revisions.find()}
    await _has_the_groups_of_the_service(directory.database, raw)


async def _has_the_groups_of_the_service(database: Database, raw: Raw) -> None:
    tree = {row["_id"]: row for row in _rows(raw, "group_tree")}
    for row in _rows(raw, "people"):
        [user] = await database.aggregate(User, user_pipeline(row["_id"]))
        applying = {group["_id"] for group in user["groups"]}
        assert set(row["all_group_ids"]) == applying
        assert {group for group, found in tree.items() if row["_id"] in found["all_member_ids"]} == applying & {*tree}


async def test_groups_in_a_circle_are_no_ancestors_of_themselves(mongod: Database, raw: Raw) -> None:
    raw.groups.insert_many(
        {"_id": group, "name": group.upper(), "parent_id": parent, "created_at": None, "updated_at": None}
        for group, parent in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "gone"))
    )
    tree = {row["_id"]: row for row in _rows(raw, "group_tree")}
    assert (tree["a"]["ancestor_ids"], tree["a"]["depth"], sorted(tree["a"]["descendant_ids"])) == (
        ["b", "c"],
        2,
        ["b", "c"],
    )
    assert (tree["d"]["parent_id"], tree["d"]["parent_name"], tree["d"]["depth"]) == ("gone", None, 0)


@pytest.mark.parametrize("at", [DatetimeMS(10**15), DatetimeMS(-(10**14)), "yesterday", None], ids=str)
async def test_changes_at_no_sensible_time_hide_no_other(mongod: Database, raw: Raw, at: Any) -> None:
    moments = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 12, 31, 23, 59, 59, tzinfo=UTC), at]
    raw.revisions.insert_many(
        {"_id": number, "model_id": "m", "version": number, "at": moment, "by": None, "change": "update"}
        for number, moment in enumerate(moments)
    )
    assert [row["day"].year for row in raw.daily_changes.find().sort("day")] == [1970, 2200]


async def test_changes_at_the_ends_of_time_are_reported(mongod: Database, raw: Raw) -> None:
    moments = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)]
    raw.revisions.insert_many(
        {"_id": number, "model_id": "m", "version": number, "at": moment, "by": None, "change": "update"}
        for number, moment in enumerate(moments)
    )
    assert [row["day"].date() for row in raw.daily_changes.find().sort("day")] == [day.date() for day in moments]


async def test_an_empty_directory_has_empty_views(mongod: Database, raw: Raw) -> None:
    assert all(_rows(raw, view.name) == [] for view in VIEWS)
