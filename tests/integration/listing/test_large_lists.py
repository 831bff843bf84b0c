"""A page of a search in a large list: what the server reads for it, and that nothing is missing or shown twice."""

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.doctor import examine
from service.listing.position import Position
from service.listing.rare_finds import Finds, Place
from tests.conftest import Commands
from tests.support.directory import Directory, grant, model
from tests.support.random_directory import REQUESTS, RandomDirectory

Raw = SyncDatabase[dict[str, Any]]
# Of 400 models that Ann can read, 40 are red, 45 are round, and 5 are both. All 400 others are both.
VISIBLE = 400
# A sixth of them, and as many of those that several principals can read as are found twice.
TRIED = VISIBLE // 6 + 30
BOTH = {"query": "red round"}
# Of all models, too, only these 5 have both tags.
RARE = {"tag": ["red", "round"]}


@pytest.fixture(autouse=True)
def every_list_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.listing.counting.KEYS_OF_A_CALL", -1)


@pytest.fixture
async def filled(directory: Directory, tmp_path: Path) -> Directory:
    await directory.group("g")
    await directory.user("ann", groups=["g"])
    models = []
    for at in range(2 * VISIBLE):
        words = f"{'red ' if at % 20 == 0 else ''}{'round ' if at % 18 == 0 else ''}{at}"
        shared = at % 2 == 0
        grants = [grant("group:g"), *([grant("user:*")] if at % 6 == 0 else [])] if shared else []
        name, meta = (words, {"tags": words.split()}) if shared else ("red round", {})
        models.append(model(f"m{at:03}", "other", name=name, meta=meta, created_at=at, access_grants=grants))
    await directory.load({"models": models}, tmp_path)
    await directory.app.state.search_statistics.renew()
    return directory


def _read(raw: Raw, commands: Commands) -> list[tuple[int, str]]:
    """Return for each call of a page how many records it reads of the collection itself, and the plan."""
    sent = [command for name, command in commands.on("models") if name == "aggregate"]
    found = []
    for page in (command for command in sent if {"$count": "total"} not in command["pipeline"]):
        hint = {"hint": page["hint"]} if "hint" in page else {}
        command = {"aggregate": "models", "pipeline": page["pipeline"], "cursor": {}, **hint}
        explained = raw.command("explain", command, verbosity="executionStats")
        cursor = explained["stages"][0]["$cursor"] if "stages" in explained else explained
        found.append((cursor["executionStats"]["totalDocsExamined"], str(cursor["queryPlanner"]["winningPlan"])))
    return found


@pytest.mark.parametrize("values", [BOTH, RARE, {"query": "red", "tag": ["round"]}])
@pytest.mark.parametrize("total", ["exact", "none"])
async def test_where_few_are_found_only_those_are_read(
    filled: Directory, raw: Raw, commands: Commands, values: dict[str, Any], total: str
) -> None:
    await filled.key("ann")
    commands.clear()
    page = await filled.page("ann", **values, total=total, page_size=100)
    assert [item["id"] for item in page["items"]] == ["m720", "m540", "m360", "m180", "m000"]
    assert page["total"] == (5 if total == "exact" else None)
    # All are public too, and so are in both halves of the rows.
    *halves, (shown, plan_of_page) = _read(raw, commands)
    assert [read for read, _ in halves] == [5, 5]
    assert all("readable_text" in plan for _, plan in halves)
    assert shown == 5
    assert "'indexName': '_id_'" in plan_of_page
    assert len(commands.on("models")) == 3, "nothing is counted besides"


async def test_what_only_the_server_can_order_is_found_by_it(filled: Directory, raw: Raw) -> None:
    raw.models.update_one({"_id": "m360"}, {"$unset": {"created_at": 1}})
    await filled.key("ann")
    page = await filled.page("ann", **RARE, page_size=2)
    assert [item["id"] for item in page["items"]] == ["m720", "m540"]
    following = await filled.page("ann", **RARE, page_size=3, cursor=page["next_cursor"])
    assert [item["id"] for item in following["items"]] == ["m180", "m000", "m360"]
    assert page["total"] == following["total"] == 5


async def test_a_model_that_is_deleted_between_two_calls_leaves_no_gap(
    filled: Directory, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found_then_deleted(finds: Finds, position: Position, number: int) -> list[Place]:
        places = following(finds, position, number)
        raw.models.delete_one({"_id": "m540"})
        return places

    following = Finds.following
    monkeypatch.setattr(Finds, "following", found_then_deleted)
    await filled.key("ann")
    page = await filled.page("ann", **RARE, page_size=2)
    assert [item["id"] for item in page["items"]] == ["m720", "m360"]
    assert (page["total"], page["next_cursor"] is None) == (4, False)


async def test_a_model_that_moves_between_two_calls_takes_no_others_along(
    filled: Directory, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found_then_renamed(finds: Finds, position: Position, number: int) -> list[Place]:
        places = following(finds, position, number)
        raw.models.update_one({"_id": places[1][2]}, {"$set": {"keys.name": "zz"}})
        return places

    await filled.key("ann")
    values = {**RARE, "order_by": "name", "direction": "asc", "page_size": 2}
    whole = [item["id"] for item in (await filled.page("ann", **{**values, "page_size": 100}))["items"]]
    following = Finds.following
    with monkeypatch.context() as patched:
        patched.setattr(Finds, "following", found_then_renamed)
        first = await filled.page("ann", **values)
    rest = await filled.page("ann", **{**values, "page_size": 100}, cursor=first["next_cursor"])
    assert [item["id"] for item in [*first["items"], *rest["items"]]] == [whole[0], *whole[2:], whole[1]]


async def test_more_finds_than_are_sorted_here_are_sorted_by_the_server(
    filled: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An estimate says 5; to find one more than fits is the same as an estimate that is wrong.
    monkeypatch.setattr("service.listing.rare_finds.MAX_FINDS", 4)
    monkeypatch.setattr("service.listing.rare_finds.CAUTION", 100)
    await filled.key("ann")
    page = await filled.page("ann", **RARE, page_size=2)
    assert [item["id"] for item in page["items"]] == ["m720", "m540"]
    assert page["total"] == 5


@pytest.mark.parametrize("total", ["exact", "none"])
async def test_descriptions_that_few_have_are_found_for_an_admin_without_reading_the_others(
    filled: Directory, raw: Raw, commands: Commands, total: str
) -> None:
    described = ["m000", "m120", "m360", "m721"]
    raw.models.update_many({"_id": {"$in": described}}, {"$set": {"meta.description": "Knows ZEBRAS."}})
    await examine(filled.database, repair=True)
    await filled.user("root", role=Role.ADMIN)
    await filled.key("root")
    commands.clear()
    page = await filled.page("root", query="zebra know", **{"in": "description"}, total=total)
    assert [item["id"] for item in page["items"]] == described[::-1]
    assert page["total"] == (len(described) if total == "exact" else None)
    *halves, (read, _) = _read(raw, commands)
    assert sum(read for read, _ in halves) == len(described)
    assert all("'described'" in plan for _, plan in halves)
    assert read == len(described)
    assert len(commands.on("models")) == 3


async def test_of_the_descriptions_that_somebody_cannot_read_none_are_looked_at(
    filled: Directory, raw: Raw, commands: Commands
) -> None:
    raw.models.update_many({"_id": {"$regex": "[13579]$"}}, {"$set": {"meta.description": "Knows ZEBRAS."}})
    raw.models.update_many({"_id": "m360"}, {"$set": {"meta.description": "Knows ZEBRAS."}})
    await examine(filled.database, repair=True)
    await filled.app.state.search_statistics.renew()
    await filled.key("ann")
    commands.clear()
    page = await filled.page("ann", query="zebra", **{"in": "description"})
    assert ([item["id"] for item in page["items"]], page["total"]) == (["m360"], 1)
    [(read, plan)] = _read(raw, commands)
    assert VISIBLE <= read < VISIBLE + VISIBLE / 2
    assert "'described'" not in plan


async def test_where_fewer_are_found_than_a_sample_lets_expect_the_first_records_are_read_in_vain(
    filled: Directory, raw: Raw, commands: Commands
) -> None:
    await filled.key("ann")
    commands.clear()
    # Of the models that Ann can't read, all are found.
    page = await filled.page("ann", **BOTH, page_size=4)
    assert [item["id"] for item in page["items"]] == ["m720", "m540", "m360", "m180"]
    (first, _), (read, plan) = _read(raw, commands)
    # The first try may cost as much as to read all rows.
    assert first <= TRIED
    assert read == 5
    assert "readable_text" in plan


async def test_where_many_are_found_only_the_first_records_are_read(
    filled: Directory, raw: Raw, commands: Commands
) -> None:
    await filled.key("ann")
    commands.clear()
    page = await filled.page("ann", query="0", page_size=2)
    assert [item["id"] for item in page["items"]] == ["m790", "m780"]
    [(read, plan)] = _read(raw, commands)
    assert read <= TRIED
    assert "readable_by_created" in plan


@pytest.mark.sampled(5)
@pytest.mark.parametrize("order_by", ["created_at", "updated_at", "name", "relevance"])
@pytest.mark.parametrize("page_size", [1, 3, 100])
async def test_a_walk_is_the_list(filled: Directory, order_by: str, page_size: int) -> None:
    values = {"query": "r", "tag": ["red"], "order_by": order_by}
    whole = [item["id"] for item in (await filled.page("ann", **values, page_size=100))["items"]]
    assert len(set(whole)) == len(whole) == VISIBLE // 10
    walked, cursor = [], None
    while True:
        page = await filled.page("ann", **values, page_size=page_size, **({"cursor": cursor} if cursor else {}))
        assert page["total"] == len(whole)
        walked += [item["id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    numbered = [
        item["id"]
        for number in range(1, len(whole) // page_size + 2)
        for item in (await filled.page("ann", **values, page_size=page_size, page=number))["items"]
    ]
    assert walked == numbered == whole


@pytest.mark.parametrize("cost", [6, 1, 0.1])
async def test_random_requests_are_answered_as_the_contract_says(
    random_directory: RandomDirectory, monkeypatch: pytest.MonkeyPatch, cost: float
) -> None:
    # The cheaper a record, the more of them are read first.
    monkeypatch.setattr("service.listing.pipeline.KEYS_OF_A_RECORD", cost)
    await random_directory.directory.app.state.search_statistics.renew()
    await random_directory.compare(random_directory.pairs(REQUESTS))
