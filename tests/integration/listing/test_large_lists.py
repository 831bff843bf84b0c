"""A page of a search in a large list: what the server reads for it, and that nothing is missing or shown twice."""

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from tests.conftest import Commands
from tests.support.directory import Directory, grant, model
from tests.support.random_directory import REQUESTS, RandomDirectory

Raw = SyncDatabase[dict[str, Any]]
# Of 400 models that Ann can read, 40 are red, 45 are round, and 5 are both. All 400 others are both.
VISIBLE = 400
# A sixth of them, and as many of those that several principals can read as are found twice.
TRIED = VISIBLE // 6 + 30
BOTH = {"query": "red round"}


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
    pages = [command["pipeline"] for command in sent if {"$count": "total"} not in command["pipeline"]]
    found = []
    for pipeline in pages:
        command = {"aggregate": "models", "pipeline": pipeline, "cursor": {}}
        explained = raw.command("explain", command, verbosity="executionStats")
        cursor = explained["stages"][0]["$cursor"]
        found.append((cursor["executionStats"]["totalDocsExamined"], str(cursor["queryPlanner"]["winningPlan"])))
    return found


@pytest.mark.parametrize("values", [BOTH, {"tag": ["red", "round"]}, {"query": "red", "tag": ["round"]}])
@pytest.mark.parametrize("total", ["exact", "none"])
async def test_where_few_are_found_only_those_are_read(
    filled: Directory, raw: Raw, commands: Commands, values: dict[str, Any], total: str
) -> None:
    await filled.key("ann")
    commands.clear()
    page = await filled.page("ann", **values, total=total, page_size=100)
    assert [item["id"] for item in page["items"]] == ["m720", "m540", "m360", "m180", "m000"]
    assert page["total"] == (5 if total == "exact" else None)
    [(read, plan)] = _read(raw, commands)
    assert read == 5
    assert "readable_text" in plan


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
