"""Malformed records that were written past the service."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from tests.support.directory import LIST, Directory, grant, model

Raw = SyncDatabase[dict[str, Any]]

CHANGES: list[dict[str, Any]] = [
    *({"$unset": {field: 1}} for field in ("created_at", "updated_at", "is_active", "base_model_id", "version")),
    *({"$unset": {field: 1}} for field in ("meta", "params", "access_grants", "name", "keys.name", "keys.writers")),
    {"$set": {"created_at": 1_700_000_000}},
    {"$set": {"created_at": "yesterday"}},
    {"$set": {"created_at": DatetimeMS(10**15)}},
    {"$set": {"updated_at": DatetimeMS(-(10**15))}},
    {"$set": {"meta": None}},
    {"$set": {"meta": [1]}},
    {"$set": {"version": "one"}},
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("change", CHANGES, ids=str)
async def test_a_malformed_record_breaks_no_page(
    directory: Directory, raw: Raw, tmp_path: Path, change: dict[str, Any]
) -> None:
    await directory.user("ann")
    await directory.user("root", role=Role.ADMIN)
    bundle = {"models": [model("sound", "ann"), model("foreign", "ann", access_grants=[grant("user:*")])]}
    await directory.load(bundle, tmp_path)
    raw.models.update_one({"_id": "foreign"}, change)

    for user in ("ann", "root"):
        for order_by in ("created_at", "updated_at", "name"):
            page = await directory.page(user, order_by=order_by)
            assert {item["id"] for item in page["items"]} == {"sound", "foreign"}
            assert page["total"] == 2
        assert (await directory.get("/api/models/model", user, id="foreign")).status_code == 200
    # A change can only repair stale derived keys; other repairs would be guesses.
    only_keys = any("keys" in field for part in change.values() for field in part)
    toggled = await directory.post("/api/models/model/toggle", "root", id="foreign")
    assert toggled.status_code == (200 if only_keys else 409)
    found = await examine(directory.database, repair=False)
    assert found.problems == (0 if only_keys else 1)
    await directory.load(bundle, tmp_path)
    assert (await examine(directory.database, repair=True)).problems <= 1
    assert (await examine(directory.database, repair=False)).problems == 0


@pytest.mark.parametrize("field", ["email", "name"])
async def test_a_malformed_owner_breaks_no_page(directory: Directory, raw: Raw, tmp_path: Path, field: str) -> None:
    await directory.user("ann")
    await directory.user("bob")
    await directory.load({"models": [model("m", "ann", access_grants=[grant("user:bob")])]}, tmp_path)
    raw.users.update_one({"_id": "ann"}, {"$unset": {field: 1}})
    assert await directory.ids("bob") == ["m"]


@pytest.mark.parametrize(
    ("collection", "change"),
    [
        ("users", {"$unset": {"is_active": 1}}),
        ("users", {"$set": {"is_active": "yes"}}),
        ("api_keys", {"$unset": {"sha256": 1}}),
        ("api_keys", {"$set": {"sha256": 5}}),
        ("api_keys", {"$set": {"expires_at": 4_000_000_000}}),
        ("api_keys", {"$set": {"expires_at": "never"}}),
    ],
)
async def test_a_malformed_user_or_key_counts_for_nothing(
    directory: Directory, raw: Raw, collection: str, change: dict[str, Any]
) -> None:
    await directory.user("ann")
    raw[collection].update_many({}, change)
    assert (await directory.get(LIST, "ann")).status_code == 401


@pytest.mark.parametrize("change", [{"$unset": {"role": 1}}, {"$set": {"role": ["admin"]}}])
async def test_a_malformed_role_makes_nobody_an_admin(
    directory: Directory, raw: Raw, tmp_path: Path, change: Any
) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.load({"models": [model("hidden", "somebody")]}, tmp_path)
    raw.users.update_many({}, change)
    assert (await directory.page("root"))["total"] == 0


@pytest.mark.parametrize("change", [{"$unset": {"scope": 1}}, {"$set": {"scope": "all"}}])
async def test_a_malformed_scope_allows_reading_at_most(directory: Directory, raw: Raw, change: Any) -> None:
    await directory.user("ann")
    raw.api_keys.update_many({}, change)
    assert (await directory.get(LIST, "ann")).status_code == 200
    assert (await directory.post("/api/models/create", "ann", {"id": "m", "name": "M"})).status_code == 403


async def test_a_record_without_keys_does_not_stop_the_search_statistics(directory: Directory, raw: Raw) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    raw.models.insert_one({"_id": "bare", "name": "Bare", "created_at": moment})
    await directory.app.state.search_statistics.renew()
    await directory.user("root", role=Role.ADMIN)
    assert (await directory.get(LIST, "root")).json()["total"] == 1
