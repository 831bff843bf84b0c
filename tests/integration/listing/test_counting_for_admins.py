"""How the total of an admin's list is counted: on index keys alone, in two halves where there are many models."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson.timestamp import Timestamp
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from tests.conftest import Commands
from tests.support.counted_lists import count_pipelines, counts_of, explained_count, fill_counted
from tests.support.directory import Directory, model

Raw = SyncDatabase[dict[str, Any]]
NEW_KEYS = ("keys.rows", "keys.readable", "keys.tag_line", "keys.capability_line", "keys.described")


@pytest.mark.parametrize("view", [({}, 301), ({"view_option": "shared"}, 300)])
@pytest.mark.parametrize("records", [301, 1_000_000])
async def test_all_models_and_those_of_others_are_counted_by_ranges_of_keys(
    directory: Directory, tmp_path: Path, raw: Raw, view: tuple[dict[str, Any], int], records: int
) -> None:
    values, total = view
    await fill_counted(directory, tmp_path)
    await directory.load({"models": [model("mine", "root", created_at=1_700_000_100)]}, tmp_path)
    # Those without a proper time of creation are counted too, once.
    odd = {"m001": None, "m002": "yesterday", "m003": Timestamp(1, 1), "m004": datetime(1, 1, 1, tzinfo=UTC)}
    for model_id, created_at in odd.items():
        raw.models.update_one({"_id": model_id}, {"$set": {"created_at": created_at}})
    raw.models.update_one({"_id": "m005"}, {"$unset": {"created_at": ""}})
    pipelines = await count_pipelines(directory, raw, "root", records, **values)
    assert len(pipelines) == (1 if records == 301 else 2)
    found = [explained_count(raw, pipeline) for pipeline in pipelines]
    assert sum(counted for counted, _, _ in found) == total
    for _, statistics, plan in found:
        assert "COUNT_SCAN" in plan
        assert statistics["totalDocsExamined"] == 0
    assert (await directory.page("root", **values))["total"] == total


async def test_no_models_are_none(directory: Directory, raw: Raw) -> None:
    await directory.user("root", role=Role.ADMIN)
    for values in ({}, {"view_option": "shared"}):
        for records in (0, 1_000_000):
            pipelines = await count_pipelines(directory, raw, "root", records, **values)
            assert sum(explained_count(raw, pipeline)[0] for pipeline in pipelines) == 0


async def test_all_models_are_counted_on_the_smallest_keys(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await fill_counted(directory, tmp_path)
    raw.models.update_many({"name": {"$regex": "1$"}}, {"$unset": dict.fromkeys(NEW_KEYS, "")})
    [pipeline] = await count_pipelines(directory, raw, "root")
    counted, statistics, plan = explained_count(raw, pipeline)
    assert (counted, statistics["totalDocsExamined"]) == (300, 0)
    assert "COUNT_SCAN" in plan
    assert "'rows'" in plan


@pytest.mark.parametrize(
    "search",
    [({"query": "helper"}, 300), ({"query": "ko"}, 150), ({"query": "he", "is_active": "true"}, 200)],
)
@pytest.mark.parametrize("records", [300, 1_000_000])
async def test_a_search_of_an_admin_is_counted_on_keys_and_in_two_halves_where_there_are_many(
    directory: Directory, tmp_path: Path, raw: Raw, search: tuple[dict[str, Any], int], records: int
) -> None:
    values, total = search
    await fill_counted(directory, tmp_path)
    # A record without a time of creation is in one half too.
    raw.models.update_one({"_id": "m001"}, {"$unset": {"created_at": ""}})
    pipelines = await count_pipelines(directory, raw, "root", records, **values)
    assert len(pipelines) == (1 if records == 300 else 2)
    found = [explained_count(raw, pipeline) for pipeline in pipelines]
    assert sum(counted for counted, _, _ in found) == total
    assert all(counted > 0 for counted, _, _ in found)
    assert all(statistics["totalDocsExamined"] == 0 for _, statistics, _ in found)


@pytest.mark.parametrize(
    "filtered", [({}, 100), ({"is_active": "true"}, 66), ({"is_active": "false"}, 34), ({"view_option": "shared"}, 99)]
)
@pytest.mark.usefixtures("every_list_is_large")
async def test_base_models_are_counted_for_an_admin_without_reading_records(
    directory: Directory,
    tmp_path: Path,
    raw: Raw,
    commands: Commands,
    filtered: tuple[dict[str, Any], int],
) -> None:
    values, total = filtered
    await directory.user("root", role=Role.ADMIN)
    models = [
        model(
            f"m{at:03}", "root" if at == 1 else "other", base_model_id=None if at < 100 else "x", is_active=at % 3 > 0
        )
        for at in range(300)
    ]
    await directory.load({"models": models}, tmp_path)
    # As good as null.
    raw.models.update_many({"_id": {"$in": ["m001", "m002"]}}, {"$unset": {"base_model_id": ""}})
    commands.clear()
    assert (await directory.page("root", kind="base", **values))["total"] == total
    counts = [one for _, one in commands.on("models") if one.get("pipeline", [])[-1:] == [{"$count": "total"}]]
    assert len(counts) == 1
    counted, statistics, plan = explained_count(raw, counts[0]["pipeline"], counts[0]["hint"])
    assert (counted, statistics["totalDocsExamined"]) == (total, 0), plan


@pytest.mark.parametrize(
    "search",
    [
        ({"tag": ["engineering", "even"]}, 75),
        ({"tag": ["EVEN", "even", "ann kowalska"]}, 75),
        ({"query": "lp he", "tag": ["engineering", "even"]}, 75),
        ({"tag": ["engineering", "even"], "is_active": "true", "view_option": "shared"}, 50),
    ],
)
@pytest.mark.parametrize("records", [300, 1_000_000])
@pytest.mark.usefixtures("reading_costs_much")
async def test_several_tags_are_counted_for_an_admin_by_the_ids_in_keys(
    directory: Directory, tmp_path: Path, raw: Raw, search: tuple[dict[str, Any], int], records: int
) -> None:
    values, total = search
    await fill_counted(directory, tmp_path)
    raw.models.update_one({"_id": "m002"}, {"$unset": {"created_at": ""}})
    pipelines = await count_pipelines(directory, raw, "root", records, **values)
    assert len(pipelines) == (1 if records == 300 else 2)
    found = [explained_count(raw, pipeline) for pipeline in pipelines]
    assert sum(counted for counted, _, _ in found) == total
    joined = [stage["$unionWith"]["pipeline"] for pipeline in pipelines for stage in pipeline if "$unionWith" in stage]
    assert joined
    found += [explained_count(raw, [*pipeline, {"$count": "total"}]) for pipeline in joined]
    assert all(statistics["totalDocsExamined"] == 0 for _, statistics, _ in found), found
    assert (await directory.page("root", **values))["total"] == total


@pytest.mark.parametrize(
    "search",
    [
        ({"query": "reads plans"}, 100),
        ({"query": "KO reads"}, 50),
        ({"query": '"it reads"'}, 100),
        ({"query": "er"}, 300),
        ({"query": "plans helper", "is_active": "true"}, 66),
        ({"query": "plans", "view_option": "shared"}, 100),
    ],
)
@pytest.mark.parametrize("records", [300, 1_000_000])
async def test_descriptions_are_searched_for_an_admin_without_reading_records(
    directory: Directory, tmp_path: Path, raw: Raw, search: tuple[dict[str, Any], int], records: int
) -> None:
    values, total = {**search[0], "in": "description"}, search[1]
    await fill_counted(directory, tmp_path)
    raw.models.update_many({"_id": {"$lt": "m100"}}, {"$set": {"meta.description": "It reads PLANS."}})
    await examine(directory.database, repair=True)
    raw.models.update_one({"_id": "m002"}, {"$unset": {"created_at": ""}})
    counting = await counts_of(directory, raw, "root", records, **values)
    assert len(counting.pipelines) == (1 if records == 300 else 2)
    found = [explained_count(raw, pipeline, counting.hint) for pipeline in counting.pipelines]
    assert sum(counted for counted, _, _ in found) == total
    for _, statistics, plan in found:
        assert statistics["totalDocsExamined"] == 0, plan
        assert "'described'" in plan
    assert (await directory.page("root", **values))["total"] == total
    # As an earlier version has stored some of them.
    earlier = {"$set": {"keys.description": "it reads plans."}, "$unset": {"keys.described": ""}}
    raw.models.update_many({"_id": {"$in": ["m000", "m004", "m061"]}}, earlier)
    found = [explained_count(raw, pipeline, counting.hint) for pipeline in counting.pipelines]
    assert sum(counted for counted, _, _ in found) == total
    assert (await directory.page("root", **values))["total"] == total


@pytest.mark.parametrize(
    "values",
    [
        {"query": "plans", "is_active": "false"},
        {"query": "plans", "kind": "base"},
        {"query": "plans", "tag": ["even"]},
        {},
    ],
)
async def test_what_other_indexes_find_is_not_scanned_for_in_descriptions(
    directory: Directory, tmp_path: Path, raw: Raw, values: dict[str, Any]
) -> None:
    await fill_counted(directory, tmp_path)
    counting = await counts_of(directory, raw, "root", 1_000_000, **values, **{"in": "description"})
    assert "keys.described" not in [*counting.pipelines[0][0]["$match"]]
    assert counting.hint != "described"
