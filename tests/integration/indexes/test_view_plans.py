"""The documented filters of views use indexes, so that they stay fast in a large directory."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

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
        ("effective_access_by_model", {"model_id": record["_id"]}, {"_id_"}),
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
        scanned = next(part for part in _explained(raw, view, query) if "totalDocsExamined" in part)
        found = len({row.get("model_id", row.get("_id")) for row in raw[view].find(query)})
        if view == "model_grants" and not query.keys() & {"model_id", "principal_id"}:
            # Models without grants have no rows.
            found = raw.models_flat.count_documents(query)
        assert scanned["totalDocsExamined"] <= max(found, 1), (view, query)


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
