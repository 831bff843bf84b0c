"""What only a real server can prove about the list: exact values, one round trip, large pages, query plans."""

from itertools import chain, product
from pathlib import Path
from typing import Any

import orjson
import pytest
from pymongo.database import Database as SyncDatabase

from documents import ModelRecord
from documents.model import MAX_RECORD_BYTES
from documents.user import Role
from indexes.ensure import ensure
from indexes.indexes import INDEXES
from service.auth.authentication import Authenticator
from service.errors import ConflictError
from service.listing.params import ListParams
from service.listing.parts import order_of
from service.listing.pipeline import Resolved, in_order, list_hint, list_match, list_pipeline
from service.listing.position import Position
from service.listing.search_statistics import SearchStatistics
from service.listing.terms import search_terms
from tests.conftest import Commands
from tests.support.directory import LIST, Directory, grant, model

EXACT: list[dict[str, Any]] = [
    {"z": 1, "a": 2, "m": {"y": 1, "b": 2}},
    {"$set": {"$inc": 1}, "a.b": {".": 1}, "": {"": 0}, "$": "$$ROOT"},
    {"$ref": "x", "$id": 1, "z": 2},
    {"$id": 1, "deep": [{"a": [{"$db": "q", "$ref": "x", "$id": {"$ref": "y", "$id": 0}}]}]},
    {"ints": [2**63 - 1, -(2**63), 2**53 + 1, 0, 2**31], "floats": [1.0, 0.1, 1e308, 5e-324, -0.0, 1e16]},
    {"text": "\u0000 \u2028 \U0001f600 \ufeff é é", "empty": ["", [], {}, None, True, False]},
    {"_id": 7, "length": 3, "__proto__": {}, "toString": "x"},
]


@pytest.mark.parametrize("value", EXACT)
async def test_free_form_values_come_back_exactly(directory: Directory, tmp_path: Path, value: dict[str, Any]) -> None:
    await directory.user("ann")
    complete = {"profile_image_url": "/static/x.png", "description": "d", "capabilities": {}, **value}
    await directory.load({"models": [model("m", "ann", params=value, meta=complete)]}, tmp_path)

    answer = await directory.get(LIST, "ann")

    [item] = orjson.loads(answer.content)["items"]
    assert orjson.dumps(item["params"]) == orjson.dumps(value)
    assert orjson.dumps(item["meta"]) == orjson.dumps(complete)


async def test_a_list_request_is_one_aggregate_on_models(
    directory: Directory, tmp_path: Path, commands: Commands
) -> None:
    await directory.user("ann")
    await directory.load({"models": [model(f"m{at}", "ann") for at in range(3)]}, tmp_path)
    await directory.page("ann")
    await directory.wait_for_last_use("ann")
    for parameters in ({}, {"query": "name"}, {"tag": ["x", "y"], "page": 2}, {"owner": "ann", "page_size": 100}):
        commands.clear()
        await directory.page("ann", **parameters)
        assert [name for name, _ in commands.on("models")] == ["aggregate"]
        assert [name for name, _ in commands.on("api_keys")] == ["aggregate"]
        assert {event.command_name for event in commands.started_events} == {"aggregate"}


async def test_a_page_of_the_largest_records_is_answered(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    filler = "x" * (MAX_RECORD_BYTES - 600)
    models = [model(f"m{at:03}", "ann", params={"system": filler}) for at in range(40)]
    assert (await directory.load({"models": models}, tmp_path)).clean

    # More than one document of MongoDB can hold.
    page = await directory.page("ann", page_size=100)

    assert (len(page["items"]), page["total"]) == (40, 40)
    assert all(item["params"]["system"] == filler for item in page["items"])


async def test_values_of_types_that_json_lacks_do_not_break_the_list(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.user("ann")
    await directory.load({"models": [model("m", "ann")]}, tmp_path)
    raw.models.update_one({"_id": "m"}, [{"$set": {"params": {"at": "$$NOW", "id": {"$toObjectId": "0" * 24}}}}])

    [item] = (await directory.page("ann"))["items"]
    assert item["params"]["id"] == "0" * 24


async def test_a_missing_index_makes_the_list_slower_not_unavailable(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.user("ann")
    await directory.load({"models": [model("m", "ann")]}, tmp_path)
    raw.models.drop_index("readable_by_created")
    try:
        assert await directory.ids("ann") == ["m"]
        assert (await directory.client.get("/health/ready")).status_code == 503
    finally:
        await ensure(directory.database)
    assert (await directory.client.get("/health/ready")).status_code == 200


def _stages(plan: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", [])
    return [plan, *(stage for child in inner for stage in _stages(child))]


async def _explain(
    directory: Directory, raw: SyncDatabase[dict[str, Any]], user: str, params: ListParams
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    caller = await Authenticator(directory.database).resolve(f"Bearer {await directory.key(user)}")
    terms = search_terms(params.query, literal=False) if params.query else []
    resolved = Resolved(terms, SearchStatistics().narrowing(*terms), params.owner)
    match = list_match(params, caller, resolved)
    order = order_of(params, terms)
    pipeline = list_pipeline(params, order, Position.requested(params), in_order(match, order))
    page = pipeline[:4]
    assert [*chain(*page)] == ["$match", "$sort", "$skip", "$limit"]
    hint = list_hint(params, match, resolved)
    command: dict[str, Any] = {
        "aggregate": "models",
        "pipeline": page,
        "cursor": {},
        **({"hint": hint} if hint else {}),
    }
    explained = raw.command("explain", command, verbosity="executionStats")
    plan = explained["queryPlanner"]["winningPlan"]
    return _stages(plan.get("queryPlan", plan)), explained["executionStats"]


FILTERS: list[dict[str, Any]] = [{}, {"kind": "base"}, {"is_active": False}, {"view_option": "shared"}, {"page": 9}]


async def test_a_page_reads_no_more_records_than_it_shows(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await directory.group("g")
    await directory.user("ann", groups=["g"])
    await directory.user("root", role=Role.ADMIN)
    models = [
        model(
            f"m{at:04}",
            "ann" if at % 3 else "other",
            name=f"Name {at % 50}",
            created_at=1_700_000_000 + at % 40,
            updated_at=1_700_000_000 + at % 30,
            base_model_id="base" if at % 4 else None,
            is_active=bool(at % 5),
            access_grants=[grant("group:g"), grant("user:*")],
        )
        for at in range(1000)
    ]
    await directory.load({"models": models}, tmp_path)
    for order_by, filters in product(["created_at", "updated_at", "name"], FILTERS):
        params = ListParams.model_validate({"order_by": order_by, **filters})
        for user, principals in (("ann", 3), ("root", 0)):
            stages, statistics = await _explain(directory, raw, user, params)
            asked = (user, params)
            # One more than the page shows, to know whether there is a next one.
            assert statistics["nReturned"] == 31, asked
            assert statistics["totalDocsExamined"] <= 31 + principals, asked
            assert "SORT" not in {stage["stage"] for stage in stages}, asked


async def _thousand(directory: Directory, tmp_path: Path, same: int = 1) -> None:
    """Fill the directory; `same` models after one another have the same name and times."""
    await directory.group("g")
    await directory.user("ann", groups=["g"])
    await directory.user("root", role=Role.ADMIN)
    models = [
        model(
            f"m{at:04}",
            "ann" if at % 3 else "other",
            name=f"Name {at // same}",
            created_at=1_700_000_000 + at // same * same,
            updated_at=1_700_001_000 - at // same * same,
            base_model_id=f"base-{at % 100}",
            meta={"tags": [f"t{at % 50}", "all"], "capabilities": {f"c{at % 100}": True, "all": True}},
            access_grants=[grant("group:g"), grant("user:*")],
        )
        for at in range(1000)
    ]
    await directory.load({"models": models}, tmp_path)


# Each with how many of the thousand models match.
SELECTIVE: list[tuple[dict[str, Any], int]] = [
    ({"id": ["m0001", "m0999", "absent"]}, 2),
    ({"tag": ["T7", "all"]}, 20),
    ({"tag": ["all", "absent"]}, 0),
    ({"base_model_id": ["base-1", "base-2"]}, 20),
    ({"owner": ["nobody"]}, 0),
    ({"capability": ["c5"]}, 10),
    ({"capability": ["c5", "all"]}, 10),
    ({"created_since": "1700000990"}, 10),
    ({"updated_since": "1700000991"}, 10),
]


async def test_a_selective_filter_reads_what_it_selects_and_little_more(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await _thousand(directory, tmp_path)
    orders = ["created_at", "updated_at", "name"]
    for user, order_by, (filters, matching) in product(["ann", "root"], orders, SELECTIVE):
        params = ListParams.model_validate({"order_by": order_by, **filters})
        stages, statistics = await _explain(directory, raw, user, params)
        asked = (user, params)
        assert statistics["nReturned"] == min(matching, 31), asked
        # A key for each principal of the caller, and some where one of several tags begins.
        assert statistics["totalKeysExamined"] <= 4 * matching + 30, asked
        assert statistics["totalDocsExamined"] <= 4 * matching + 30, asked
        assert "COLLSCAN" not in {stage["stage"] for stage in stages}, asked


UNSELECTIVE: list[dict[str, Any]] = [
    {"tag": ["all"]},
    {"capability": ["all"]},
    {"owner": ["ann", "other"]},
    {"created_since": "0"},
]


async def test_a_filter_that_selects_much_stops_at_the_end_of_the_page(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]]
) -> None:
    await _thousand(directory, tmp_path)
    for user, order_by, filters in product(["ann", "root"], ["created_at", "updated_at", "name"], UNSELECTIVE):
        params = ListParams.model_validate({"order_by": order_by, **filters})
        stages, statistics = await _explain(directory, raw, user, params)
        asked = (user, params)
        assert statistics["nReturned"] == 31, asked
        assert statistics["totalKeysExamined"] <= 4 * 31, asked
        assert "SORT" not in {stage["stage"] for stage in stages}, asked


@pytest.mark.parametrize(("same", "orders"), [(1, ["created_at", "name"]), (1000, ["name", "updated_at"])])
async def test_a_page_by_cursor_costs_the_same_at_any_depth(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]], same: int, orders: list[str]
) -> None:
    await _thousand(directory, tmp_path, same)
    chosen: list[dict[str, Any]] = [{}, {"kind": "custom", "is_active": "true"}]
    for user, order_by, direction, filters in product(["ann", "root"], orders, ["asc", "desc"], chosen):
        asked = {"order_by": order_by, "direction": direction, "page_size": 30, **filters}
        for depth in (1, 32):
            cursor = (await directory.page(user, page=depth, **asked))["next_cursor"]
            stages, statistics = await _explain(
                directory, raw, user, ListParams.model_validate({**asked, "cursor": cursor})
            )
            where = (user, asked, depth)
            assert statistics["nReturned"] == 31, where
            # A key for the first of each scan, of which there are two for each of three principals.
            assert statistics["totalKeysExamined"] <= 4 * 31, where
            assert statistics["totalDocsExamined"] <= 31 + 6, where
            assert "SORT" not in {stage["stage"] for stage in stages}, where


# The server merges at most 200 scans of an index.
MANY_GROUPS = 220


@pytest.mark.sampled(2)
@pytest.mark.parametrize("order_by", ["created_at", "name"])
async def test_a_caller_in_too_many_groups_for_a_merge_gets_the_same_pages_in_little_memory(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]], order_by: str
) -> None:
    groups = [await directory.group(f"g{at:03}") for at in range(MANY_GROUPS)]
    await directory.user("ann", groups=groups)
    models = [
        model(
            f"m{at:03}",
            "bob",
            name=f"Name {at // 3:02}",
            created_at=1_700_000_000 + at // 3,
            # Each is found by several of the caller's principals, and must come once.
            access_grants=[grant(f"group:{groups[at * times % MANY_GROUPS]}") for times in (1, 3, 7)],
        )
        for at in range(100)
    ]
    await directory.load({"models": [*models, model("hidden", "bob")]}, tmp_path)
    asked: dict[str, Any] = {"order_by": order_by, "page_size": 60}
    found: list[str] = []
    page = await directory.page("ann", **asked)
    assert page["total"] == 100
    while True:
        stages, _ = await _explain(directory, raw, "ann", ListParams.model_validate(asked))
        # It holds the records of one page only, whatever it reads.
        assert [stage["limitAmount"] for stage in stages if stage["stage"] == "SORT"] == [61], asked
        assert "COLLSCAN" not in {stage["stage"] for stage in stages}, asked
        found += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
        page = await directory.page("ann", **asked)
    assert found == [one["id"] for one in reversed(models)]


async def test_every_index_of_models_is_declared_with_a_name(raw: SyncDatabase[dict[str, Any]]) -> None:
    names = [index.document["name"] for index in INDEXES["models"]]
    assert len(names) == len(set(names))
    assert set(raw[ModelRecord.Settings.name].index_information()) == {"_id_", *names}


async def test_an_index_that_the_data_forbids_is_named(directory: Directory, raw: SyncDatabase[dict[str, Any]]) -> None:
    raw.users.drop_index("email")
    raw.users.insert_many([{"_id": name, "keys": {"email": "a@example.com"}} for name in ("one", "two")])
    try:
        with pytest.raises(ConflictError, match=r"users\.email"):
            await ensure(directory.database)
    finally:
        raw.users.delete_many({})
        assert await ensure(directory.database) == []
