"""The documented filters of views use indexes, so that they stay fast in a large directory."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from indexes.views.joins import JOINS, Join
from tests.conftest import RANDOM_DATABASE
from tests.support.random_directory import RandomDirectory

Raw = SyncDatabase[dict[str, Any]]
Query = dict[str, Any]

SINCE = {"$gte": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)}


def _plans(explained: Any) -> Iterator[dict[str, Any]]:
    """Yield every nested part of a query plan."""
    if isinstance(explained, dict):
        yield explained
    for child in explained.values() if isinstance(explained, dict) else explained:
        if isinstance(child, dict | list):
            yield from _plans(child)


def _explained(raw: Raw, view: str, query: Query) -> list[dict[str, Any]]:
    command = {"explain": {"find": view, "filter": query}, "verbosity": "executionStats"}
    return list(_plans(raw.command(command)))


def _indexes(parts: list[dict[str, Any]]) -> set[str]:
    by_stages = {part["indexName"] for part in parts if part.get("stage") == "IXSCAN"}
    return by_stages.union(*(part["indexesUsed"] for part in parts if "indexesUsed" in part))


def _read(parts: list[dict[str, Any]]) -> int:
    """Return how many documents were read of the collection that a view is made from, without those looked up."""
    fetches = [part["planNodeId"] for part in parts if part.get("stage") == "FETCH" and "planNodeId" in part]
    counted = [part for part in parts if "totalDocsExamined" in part]
    # Where the server does the joins with the rest, each step says how much was read up to there.
    steps = [part for part in counted if part.get("planNodeId") in fetches[:1]] or counted
    return int(steps[0]["totalDocsExamined"])


@pytest.fixture
def raw(raw: Raw) -> Raw:
    """The database of the random directory."""
    return raw.client[RANDOM_DATABASE]


@pytest.fixture
def queries(random_directory: RandomDirectory, raw: Raw) -> list[tuple[str, Query, set[str]]]:
    """Filters of views, each with the indexes that must be used for the filter and for the joins."""
    record = raw.models.find_one(
        {"access_grants.principal_type": "group", "user_id": {"$in": random_directory.callers}}
    )
    assert record is not None
    group = next(grant["principal_id"] for grant in record["access_grants"] if grant["principal_type"] == "group")
    person = next(user["_id"] for user in raw.users.find({"role": "user", "group_ids": {"$ne": []}}))
    tag = next(tag for record in raw.models.find({"keys.tags": {"$ne": []}}) for tag in record["keys"]["tags"])
    member = next(user for user in raw.users.find({"group_ids": {"$ne": []}}))
    parent = next(group["parent_id"] for group in raw.groups.find({"parent_id": {"$ne": None}}))
    key, revision = raw.api_keys.find_one({}), raw.revisions.find_one({"change": "create"})
    assert key is not None
    assert revision is not None
    changed = raw.people_changes.find_one({})
    assert changed is not None
    later = revision["at"] + timedelta(seconds=1)
    today = {"$gte": datetime.combine(datetime.now(UTC).date(), datetime.min.time(), UTC)}
    return [
        ("models_flat", {"_id": record["_id"]}, {"_id_"}),
        ("models_flat", {"owner_id": record["user_id"]}, {"owner", "_id_"}),
        ("models_flat", {"base_model_id": None}, {"base", "_id_"}),
        ("models_flat", {"created_at": SINCE}, {"all_by_created", "_id_"}),
        ("models_flat", {"updated_at": SINCE}, {"all_by_updated", "_id_"}),
        ("models_flat", {"keys.tags": tag}, {"tagged", "_id_"}),
        ("models_flat", {"keys.capabilities": "vision"}, {"capable", "_id_"}),
        ("models_flat", {"keys.name": record["keys"]["name"]}, {"all_by_name", "_id_"}),
        ("model_grants", {"owner_id": record["user_id"]}, {"owner", "_id_"}),
        ("model_grants", {"base_model_id": record["base_model_id"]}, {"base", "_id_"}),
        ("model_grants", {"model_id": record["_id"]}, {"_id_"}),
        ("model_grants", {"principal_id": group, "keys.readers": f"group:{group}"}, {"readable", "_id_"}),
        ("effective_access", {"user_id": person}, {"_id_"}),
        ("access_counts", {"user_id": person}, {"_id_"}),
        ("effective_access_by_model", {"model_id": record["_id"]}, {"_id_"}),
        ("models_by_name", {"keys.tags": tag}, {"tagged", "_id_"}),
        ("models_by_name", {"keys.name": record["keys"]["name"]}, {"all_by_name", "_id_"}),
        ("people", {"_id": member["_id"]}, {"_id_", "owner"}),
        ("people", {"keys.email": member["keys"]["email"]}, {"email", "owner"}),
        ("people", {"group_ids": member["group_ids"][0]}, {"members", "owner"}),
        ("people", {"role": "admin"}, {"admins", "owner"}),
        ("group_tree", {"_id": group}, {"_id_", "members"}),
        ("group_tree", {"parent_id": parent}, {"children", "members"}),
        ("keys_flat", {"owner_id": key["user_id"]}, {"owner", "_id_"}),
        ("people_history", {"_id": changed["_id"]}, {"_id_"}),
        ("people_history", {"principal_id": changed["principal_id"]}, {"history", "_id_"}),
        ("people_history", {"at": {"$gte": changed["at"], "$lt": changed["at"]}}, {"when", "_id_"}),
        ("changes", {"_id": revision["_id"]}, {"_id_"}),
        ("changes", {"model_id": revision["model_id"]}, {"history", "_id_"}),
        ("changes", {"at": {"$gte": revision["at"], "$lt": later}}, {"when", "_id_"}),
        ("access_changes", {"model_id": revision["model_id"]}, {"history"}),
        ("access_changes", {"at": {"$gte": revision["at"], "$lt": later}}, {"when"}),
        ("daily_changes", {"day": today}, {"when"}),
    ]


async def test_a_filter_is_answered_by_an_index(queries: list[tuple[str, Query, set[str]]], raw: Raw) -> None:
    for view, query, wanted in queries:
        parts = _explained(raw, view, query)
        used = _indexes(parts)
        case = (view, query, used)
        assert "COLLSCAN" not in {part.get("stage") for part in parts}, case
        assert not any(int(part.get("collectionScans", 0)) for part in parts), case
        # Several indexes have the same first field; any of them will do.
        several = ("readable", "tagged")
        assert {name.partition("_by_")[0] if name.startswith(several) else name for name in used} >= wanted, case


async def test_a_filter_reads_no_more_than_it_finds(queries: list[tuple[str, Query, set[str]]], raw: Raw) -> None:
    for view, query, _ in queries:
        read = _read(_explained(raw, view, query))
        found = len({row.get("_id", (row.get("model_id"), row.get("version"))) for row in raw[view].find(query)})
        if view == "model_grants" and not query.keys() & {"model_id", "principal_id"}:
            # Models without grants have no rows.
            found = raw.models_flat.count_documents(query)
        assert read <= max(found, 1), (view, query)


async def test_the_models_of_a_user_are_found_by_the_index_of_readers(
    queries: list[tuple[str, Query, set[str]]], raw: Raw
) -> None:
    # For a join followed by $unwind, the plan names no index.
    def uses() -> int:
        stats = raw.models.aggregate([{"$indexStats": {}}])
        return sum(index["accesses"]["ops"] for index in stats if index["name"].startswith("readable"))

    [query] = [query for view, query, _ in queries if view == "effective_access"]
    before = uses()
    assert list(raw.effective_access.find(query))
    assert uses() == before + 1


async def test_models_by_name_are_read_as_far_as_they_are_wanted(raw: Raw) -> None:
    command = {"explain": {"find": "models_by_name", "limit": 3}, "verbosity": "executionStats"}
    parts = list(_plans(raw.command(command)))
    assert "all_by_name" in _indexes(parts)
    assert _read(parts) == 3


def _joined(raw: Raw, join: Join) -> dict[str, Any]:
    """Return what the server reports of a join of a few rows."""
    lookup = {"from": join.other, "localField": join.field, "foreignField": join.foreign, "as": "joined"}
    command = {"aggregate": join.view, "pipeline": [{"$limit": 3}, {"$lookup": lookup}], "cursor": {}}
    explained = raw.command({"explain": command, "verbosity": "executionStats"})
    return next(part for part in _plans(explained) if part.get("$lookup", {}).get("as") == "joined")


async def test_a_documented_join_of_views_is_answered_by_an_index(random_directory: RandomDirectory, raw: Raw) -> None:
    scans = {join: int(_joined(raw, join)["collectionScans"]) for join in JOINS}
    assert scans == dict.fromkeys(JOINS, 0)


async def test_a_join_by_another_column_reads_all(random_directory: RandomDirectory, raw: Raw) -> None:
    other = Join("group_tree", "_id", "model_grants", "principal_id")
    assert int(_joined(raw, other)["collectionScans"]) > 0
