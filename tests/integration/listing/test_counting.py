"""How the total of a list is counted: on index keys alone, each record once, whatever wrote it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.timestamp import Timestamp
from pymongo.database import Database as SyncDatabase

from documents.derived_keys import MAX_ROW_BYTES
from documents.user import Role
from service.auth.authentication import Authenticator, Caller
from service.doctor import examine
from service.listing.counting import Counts, counts
from service.listing.params import ListParams
from service.listing.pipeline import Resolved
from service.listing.rows import MAX_PRINCIPALS
from service.listing.search_statistics import SAMPLE_PIPELINE, SearchStatistics
from service.listing.terms import search_terms
from tests.conftest import Commands
from tests.support.directory import Directory, grant, model
from tests.support.every_case import repetitions
from tests.support.random_directory import REQUESTS, RandomDirectory

Raw = SyncDatabase[dict[str, Any]]
PUBLIC = [grant("user:*")]
NEW_KEYS = ("keys.rows", "keys.readable", "keys.tag_line", "keys.capability_line", "keys.described")


@pytest.fixture
def every_list_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.listing.counting.KEYS_OF_A_CALL", -1)


@pytest.fixture
def reading_costs_much(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEYS_OF_A_RECORD", "KEYS_OF_A_STORED_RECORD"):
        monkeypatch.setattr(f"service.listing.pipeline.{name}", 1000)


async def _filled(directory: Directory, tmp_path: Path) -> None:
    await directory.group("g")
    await directory.user("ann", name="Ann Kowalska", groups=["g"])
    await directory.user("root", role=Role.ADMIN)
    models = [
        model(
            f"m{at:03}",
            "ann" if at % 2 else "other",
            name=f"Helper {at}",
            created_at=1_700_000_000 + at,
            is_active=bool(at % 3),
            meta={"tags": ["Engineering" if at % 4 else "ann kowalska", *(["Even"] if at % 2 == 0 else [])]},
            access_grants=[grant("group:g"), *PUBLIC] if at % 5 else [],
        )
        for at in range(300)
    ]
    await directory.load({"models": models}, tmp_path)


async def _pipelines(directory: Directory, raw: Raw, user: str, records: int | None = None, **values: Any) -> list[Any]:
    return list((await _counts(directory, raw, user, records, **values)).pipelines)


async def _counts(directory: Directory, raw: Raw, user: str, records: int | None = None, **values: Any) -> Counts:
    caller = await Authenticator(directory.database).resolve(f"Bearer {await directory.key(user)}")
    params = ListParams.model_validate(values)
    terms = search_terms(params.query, literal=False) if params.query else []
    statistics = SearchStatistics.of(list(raw.models.aggregate(SAMPLE_PIPELINE)), records)
    return counts(params, caller, Resolved(terms, statistics.narrowing(*terms), (), statistics))


def _count(raw: Raw, pipeline: list[dict[str, Any]], hint: str | None = None) -> tuple[int, dict[str, Any], str]:
    command = {"aggregate": "models", "pipeline": pipeline, "cursor": {}, **({"hint": hint} if hint else {})}
    # The bounds of a plan are times that Python does not know.
    any_time: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    explained = raw.command("explain", command, verbosity="executionStats", codec_options=any_time)
    cursor = explained["stages"][0]["$cursor"] if "stages" in explained else explained
    found = list(raw.models.aggregate(pipeline))
    return found[0]["total"] if found else 0, cursor["executionStats"], str(cursor["queryPlanner"]["winningPlan"])


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
    await _filled(directory, tmp_path)
    [pipeline] = await _pipelines(directory, raw, "ann", **values)
    counted, statistics, plan = _count(raw, pipeline)
    assert (counted, statistics["totalDocsExamined"]) == (total, 0), plan
    assert "readable_text" in plan
    assert (await directory.page("ann", **values))["total"] == total


async def test_of_what_the_rows_find_the_rest_is_read(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await _filled(directory, tmp_path)
    values: dict[str, Any] = {"query": "lp 29", "is_active": "true"}
    [pipeline] = await _pipelines(directory, raw, "ann", **values)
    counted, statistics, plan = _count(raw, pipeline)
    # Ann can read 12 models with these words, of which 4 are not active.
    assert (counted, statistics["totalDocsExamined"]) == (8, 12), plan
    assert "readable_text" in plan
    assert (await directory.page("ann", **values))["total"] == 8


@pytest.mark.parametrize("view", [({}, 301), ({"view_option": "shared"}, 300)])
@pytest.mark.parametrize("records", [301, 1_000_000])
async def test_all_models_and_those_of_others_are_counted_by_ranges_of_keys(
    directory: Directory, tmp_path: Path, raw: Raw, view: tuple[dict[str, Any], int], records: int
) -> None:
    values, total = view
    await _filled(directory, tmp_path)
    await directory.load({"models": [model("mine", "root", created_at=1_700_000_100)]}, tmp_path)
    # Those without a proper time of creation are counted too, once.
    odd = {"m001": None, "m002": "yesterday", "m003": Timestamp(1, 1), "m004": datetime(1, 1, 1, tzinfo=UTC)}
    for model_id, created_at in odd.items():
        raw.models.update_one({"_id": model_id}, {"$set": {"created_at": created_at}})
    raw.models.update_one({"_id": "m005"}, {"$unset": {"created_at": ""}})
    pipelines = await _pipelines(directory, raw, "root", records, **values)
    assert len(pipelines) == (1 if records == 301 else 2)
    found = [_count(raw, pipeline) for pipeline in pipelines]
    assert sum(counted for counted, _, _ in found) == total
    for _, statistics, plan in found:
        assert "COUNT_SCAN" in plan
        assert statistics["totalDocsExamined"] == 0
    assert (await directory.page("root", **values))["total"] == total


async def test_no_models_are_none(directory: Directory, raw: Raw) -> None:
    await directory.user("root", role=Role.ADMIN)
    for values in ({}, {"view_option": "shared"}):
        for records in (0, 1_000_000):
            pipelines = await _pipelines(directory, raw, "root", records, **values)
            assert sum(_count(raw, pipeline)[0] for pipeline in pipelines) == 0


async def test_all_models_are_counted_on_the_smallest_keys(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await _filled(directory, tmp_path)
    raw.models.update_many({"name": {"$regex": "1$"}}, {"$unset": dict.fromkeys(NEW_KEYS, "")})
    [pipeline] = await _pipelines(directory, raw, "root")
    counted, statistics, plan = _count(raw, pipeline)
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
    await _filled(directory, tmp_path)
    # A record without a time of creation is in one half too.
    raw.models.update_one({"_id": "m001"}, {"$unset": {"created_at": ""}})
    pipelines = await _pipelines(directory, raw, "root", records, **values)
    assert len(pipelines) == (1 if records == 300 else 2)
    found = [_count(raw, pipeline) for pipeline in pipelines]
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
    counted, statistics, plan = _count(raw, counts[0]["pipeline"], counts[0]["hint"])
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
    await _filled(directory, tmp_path)
    raw.models.update_one({"_id": "m002"}, {"$unset": {"created_at": ""}})
    pipelines = await _pipelines(directory, raw, "root", records, **values)
    assert len(pipelines) == (1 if records == 300 else 2)
    found = [_count(raw, pipeline) for pipeline in pipelines]
    assert sum(counted for counted, _, _ in found) == total
    joined = [stage["$unionWith"]["pipeline"] for pipeline in pipelines for stage in pipeline if "$unionWith" in stage]
    assert joined
    found += [_count(raw, [*pipeline, {"$count": "total"}]) for pipeline in joined]
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
    await _filled(directory, tmp_path)
    raw.models.update_many({"_id": {"$lt": "m100"}}, {"$set": {"meta.description": "It reads PLANS."}})
    await examine(directory.database, repair=True)
    raw.models.update_one({"_id": "m002"}, {"$unset": {"created_at": ""}})
    counting = await _counts(directory, raw, "root", records, **values)
    assert len(counting.pipelines) == (1 if records == 300 else 2)
    found = [_count(raw, pipeline, counting.hint) for pipeline in counting.pipelines]
    assert sum(counted for counted, _, _ in found) == total
    for _, statistics, plan in found:
        assert statistics["totalDocsExamined"] == 0, plan
        assert "'described'" in plan
    assert (await directory.page("root", **values))["total"] == total
    # As an earlier version has stored some of them.
    earlier = {"$set": {"keys.description": "it reads plans."}, "$unset": {"keys.described": ""}}
    raw.models.update_many({"_id": {"$in": ["m000", "m004", "m061"]}}, earlier)
    found = [_count(raw, pipeline, counting.hint) for pipeline in counting.pipelines]
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
    await _filled(directory, tmp_path)
    counting = await _counts(directory, raw, "root", 1_000_000, **values, **{"in": "description"})
    assert "keys.described" not in [*counting.pipelines[0][0]["$match"]]
    assert counting.hint != "described"


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
    await _filled(directory, tmp_path)
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
    await _filled(directory, tmp_path)
    # In the order of the row, the frequent one is the last.
    tags = [*(f"{at:05}" for at in range(8000)), "engineering"]
    await directory.load({"models": [model("many", "ann", name="Many", meta={"tags": tags})]}, tmp_path)
    assert raw.models.count_documents({"_id": "many", "keys.rows": True}) == 1
    [pipeline] = await _pipelines(directory, raw, "ann", tag="engineering")
    counted, _, plan = _count(raw, pipeline)
    assert (counted, "readable_text" in plan) == (211, True)


async def test_long_tags_do_not_hold_up_a_count(directory: Directory, tmp_path: Path, raw: Raw) -> None:
    await _filled(directory, tmp_path)
    tags = [f"{'z' * 500} {at}" for at in range(120)]
    await directory.load({"models": [model("long", "ann", name="Long", meta={"tags": tags})]}, tmp_path)
    assert raw.models.count_documents({"_id": "long", "keys.rows": True}) == 1
    [pipeline] = await _pipelines(directory, raw, "ann", query="z")
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
            access_grants=[grant("group:g"), *PUBLIC] if at % 5 else [],
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
    [pipeline] = await _pipelines(directory, raw, "ann", **values)
    counted, statistics, plan = _count(raw, pipeline)
    assert (counted, statistics["totalDocsExamined"]) == (total, 0), plan
    # Records of an earlier version are read.
    raw.models.update_many({"_id": {"$regex": "[0-4]$"}}, {"$unset": dict.fromkeys(NEW_KEYS, "")})
    assert (await directory.page("ann", **values))["total"] == total
