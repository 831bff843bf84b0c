"""How the total of a list is counted: on index keys alone, each record once, whatever wrote it."""

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.derived_keys import MAX_ROW_BYTES
from service.auth.authentication import Caller
from service.listing.counting import counts
from service.listing.params import ListParams
from service.listing.pipeline import Resolved
from service.listing.rows import MAX_PRINCIPALS
from tests.support.counted_lists import count_pipelines, explained_count, fill_counted
from tests.support.directory import Directory, grant, model
from tests.support.every_case import repetitions
from tests.support.random_directory import REQUESTS, RandomDirectory

Raw = SyncDatabase[dict[str, Any]]
NEW_KEYS = ("keys.rows", "keys.readable", "keys.tag_line", "keys.capability_line", "keys.described")


# With the number of the models that Ann can read and these find.
SEARCHES: list[tuple[dict[str, Any], int]] = [
    ({"query": "helper"}, 270),
    ({"query": "er 29"}, 12),
    ({"query": "kowalska HELPER"}, 150),
    ({"query": "he", "tag": ["engineering"]}, 210),
    ({"tag": ["ENGINEERING"]}, 210),
    ({"query": "el er"}, 270),
    # As a tag, not as the owner.
    ({"tag": ["ann kowalska"]}, 60),
    ({"tag": ["engineering", "ann kowalska"]}, 0),
]


@pytest.mark.parametrize(("values", "total"), SEARCHES)
async def test_a_search_of_a_user_is_counted_without_reading_records(
    directory: Directory, tmp_path: Path, raw: Raw, values: dict[str, Any], total: int
) -> None:
    await fill_counted(directory, tmp_path)
    [pipeline] = await count_pipelines(directory, raw, "ann", **values)
    counted, statistics, plan = explained_count(raw, pipeline)
    assert (counted, statistics["totalDocsExamined"]) == (total, 0), plan
    assert "readable_text" in plan
    assert (await directory.page("ann", **values))["total"] == total


async def test_of_what_the_rows_find_the_rest_is_read(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await fill_counted(directory, tmp_path)
    values: dict[str, Any] = {"query": "lp 29", "is_active": "true"}
    [pipeline] = await count_pipelines(directory, raw, "ann", **values)
    counted, statistics, plan = explained_count(raw, pipeline)
    # Ann can read 12 models with these words, of which 4 are not active.
    assert (counted, statistics["totalDocsExamined"]) == (8, 12), plan
    assert "readable_text" in plan
    assert (await directory.page("ann", **values))["total"] == 8


@pytest.mark.usefixtures("every_list_is_large")
@pytest.mark.parametrize("cost", [0.01, 1000], ids=["records are read", "keys are scanned"])
async def test_random_lists_are_counted_as_the_contract_says_whatever_costs_more(
    random_directory: RandomDirectory, monkeypatch: pytest.MonkeyPatch, cost: float
) -> None:
    monkeypatch.setattr("service.listing.pipeline.KEYS_OF_A_RECORD", cost)
    monkeypatch.setattr("service.listing.pipeline.FEW", -1)
    await random_directory.directory.app.state.search_statistics.renew()
    await random_directory.compare(random_directory.pairs(REQUESTS))


async def test_records_of_an_earlier_version_are_counted(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    random_directory = await RandomDirectory.fill(directory, tmp_path, 60)
    ids = sorted(record["_id"] for record in raw.models.find({}, ["_id"]))
    earlier = raw.models.update_many({"_id": {"$in": ids[::3]}}, {"$unset": dict.fromkeys(NEW_KEYS, "")})
    assert earlier.modified_count == 20
    await random_directory.compare(random_directory.pairs(repetitions(REQUESTS // 2, REQUESTS * 10)))


async def test_a_record_with_large_rows_is_found_without_them(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await fill_counted(directory, tmp_path)
    tags = [f"{at} {'long ' * 90}".strip() for at in range(60)]
    readers = [await directory.user(f"u{at}") for at in range(4)]
    grants = [grant(f"user:{reader}") for reader in readers]
    await directory.load(
        {"models": [model("large", "ann", name="Large", meta={"tags": tags}, access_grants=grants)]}, tmp_path
    )
    [large] = raw.models.find({"_id": "large"})
    assert (large["keys"]["rows"], large["keys"]["readable"]) == (False, {})
    assert len("".join(tags)) * 5 > MAX_ROW_BYTES
    for user in ("ann", "root"):
        assert (await directory.page(user, query="arg"))["total"] == 1
        assert (await directory.page(user, tag=tags[3]))["total"] == 1
    await directory.user("other")
    assert await directory.ids("u3", query="large") == ["large"]
    assert (await directory.page("other", query="large"))["total"] == 0


async def test_a_record_with_very_many_tags_is_counted(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await fill_counted(directory, tmp_path)
    # In the order of the row, the frequent one is the last.
    tags = [*(f"{at:05}" for at in range(8000)), "engineering"]
    await directory.load({"models": [model("many", "ann", name="Many", meta={"tags": tags})]}, tmp_path)
    assert raw.models.count_documents({"_id": "many", "keys.rows": True}) == 1
    [pipeline] = await count_pipelines(directory, raw, "ann", tag="engineering")
    counted, _, plan = explained_count(raw, pipeline)
    assert (counted, "readable_text" in plan) == (211, True)


async def test_long_tags_do_not_hold_up_a_count(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await fill_counted(directory, tmp_path)
    tags = [f"{'z' * 500} {at}" for at in range(120)]
    await directory.load({"models": [model("long", "ann", name="Long", meta={"tags": tags})]}, tmp_path)
    assert raw.models.count_documents({"_id": "long", "keys.rows": True}) == 1
    [pipeline] = await count_pipelines(directory, raw, "ann", query="z")
    # With an attempt for each place, it would take longer than this by far.
    assert list(raw.models.aggregate(pipeline, maxTimeMS=5000)) == []


async def test_ids_that_differ_only_in_escaping_are_different_readers(
    directory: Directory, tmp_path: Path, raw: Raw
) -> None:
    ids = ["a.b", "a%2Eb", "a%252Eb", "a$b", "a%24b", "a"]
    for user in ids:
        await directory.user(user, email=f"{user}.{ids.index(user)}@example.com")
    models = [model(f"of-{at}", user, name="Same", meta={"tags": ["t"]}) for at, user in enumerate(ids)]
    await directory.load({"models": models}, tmp_path)
    for at, user in enumerate(ids):
        for values in ({"query": "am"}, {"tag": "t"}):
            page = await directory.page(user, **values)
            assert ([item["id"] for item in page["items"]], page["total"]) == ([f"of-{at}"], 1)


def test_for_a_caller_with_very_many_groups_records_are_read() -> None:
    caller = Caller("ann", is_admin=False, principals=frozenset(f"group:{at}" for at in range(MAX_PRINCIPALS + 1)))
    [[match, _]] = counts(ListParams.model_validate({"query": "x"}), caller, Resolved(["x"])).pipelines
    assert "keys.readers" in match["$match"]


@pytest.mark.parametrize(
    "values",
    [
        {"capability": ["vision"]},
        {"capability": ["vision", "a.b"]},
        {"capability": ["vision"], "is_active": "true"},
        {"capability": ["sion"]},
        {"capability": ["vision"], "view_option": "shared"},
    ],
)
async def test_capabilities_are_counted_without_reading_records(
    directory: Directory, tmp_path: Path, raw: Raw, values: dict[str, Any]
) -> None:
    await directory.group("g")
    await directory.user("ann", groups=["g"])
    models = [
        model(
            f"m{at:03}",
            "ann" if at % 10 == 0 else "other",
            is_active=bool(at % 3),
            meta={"capabilities": {"vision": at % 2 == 0, "a.b": at % 3 == 0, "television": True, "vision\n": True}},
            access_grants=[grant("group:g"), grant("user:*")] if at % 5 else [],
        )
        for at in range(300)
    ]
    total = sum(
        (at % 5 != 0 or at % 10 == 0)
        and all({"vision": at % 2 == 0, "a.b": at % 3 == 0}.get(name, False) for name in values["capability"])
        and (at % 3 != 0 or "is_active" not in values)
        and (at % 10 != 0 or "view_option" not in values)
        for at in range(300)
    )
    await directory.load({"models": models}, tmp_path)
    [pipeline] = await count_pipelines(directory, raw, "ann", **values)
    counted, statistics, plan = explained_count(raw, pipeline)
    assert (counted, statistics["totalDocsExamined"]) == (total, 0), plan
    # Records of an earlier version are read.
    raw.models.update_many({"_id": {"$regex": "[0-4]$"}}, {"$unset": dict.fromkeys(NEW_KEYS, "")})
    assert (await directory.page("ann", **values))["total"] == total
