"""Searching as people type it: several words, phrases, descriptions, and the best first."""

from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from service.doctor import examine
from tests.support.backends import on_each_backend
from tests.support.directory import LIST, Directory, grant, model

NAMES = {
    "one": ("SQL Tuning", "Reads query plans, for PostgreSQL."),
    "two": ("Tuning of engines", "Knows every carburettor: Straße or track."),
    "three": ("The SQL  tutor", ""),
    "four": ('Say "hello"', 'He said "open sesame"'),
}


async def _filled(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann", name="Ann Weiß", email="ann@corp.example")
    await directory.user("bob", name="Bob", email="bob@corp.example")
    models = [
        model(key, "ann", name=name, meta={"description": text}, access_grants=[grant("user:bob")])
        for key, (name, text) in NAMES.items()
    ]
    await directory.load({"models": models}, tmp_path)


@on_each_backend
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tuning sql", {"one"}),
        ("SQL t", {"one", "three"}),
        ("tun eng weiss", {"two"}),
        ("  tu\tql  ", {"one", "three"}),
        ("sql sql SQL", {"one", "three"}),
        ("sql absent", set()),
        ('"sql tuning"', {"one"}),
        ('"tuning sql"', set()),
        ('"l  t"', {"three"}),
        ('"l t"', {"one"}),
        ('ann "tuning of" eng', {"two"}),
        # Quotation marks that enclose no words of their own are ordinary characters.
        ('"hello"', {"four"}),
        ('""hello""', {"four"}),
        ('"', {"four"}),
        ('"hello', {"four"}),
        ('lo" say', {"four"}),
        ('"sql tuning', set()),
        ('""', set()),
        ('sql"tuning"', set()),
        (".* tuning", set()),
    ],
)
async def test_all_words_and_phrases_have_to_occur(
    directory: Directory, tmp_path: Path, query: str, found: set[str]
) -> None:
    await _filled(directory, tmp_path)
    assert set(await directory.ids("bob", query=query)) == found


@on_each_backend
async def test_the_compatibility_api_takes_a_query_literally(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    for query, found in (("sql tuning", ["one"]), ("tuning sql", []), ('"sql tuning"', []), ('say "hello"', ["four"])):
        answer = await directory.get(LIST.replace("/api/", "/api/v1/"), "bob", query=query, kind="any")
        assert [item["id"] for item in answer.json()["items"]] == found, query


@on_each_backend
async def test_descriptions_are_searched_on_request(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    assert await directory.ids("bob", query="postgres") == []
    options: dict[str, Any] = {"in": "description"}
    assert await directory.ids("bob", query="postgres", **options) == ["one"]
    assert await directory.ids("bob", query="STRASSE engines", **options) == ["two"]
    assert await directory.ids("bob", query='"query plans"', **options) == ["one"]
    assert await directory.ids("bob", query='"open sesame"', **options) == ["four"]
    assert set(await directory.ids("bob", query="weiss", **options)) == NAMES.keys()
    # No match spans two texts.
    assert await directory.ids("bob", query='"tuning reads"', **options) == []
    assert len(await directory.ids("bob", **options)) == len(NAMES)


@on_each_backend
async def test_relevance_puts_names_that_begin_with_the_first_term_first(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    names = {"a": "A gpt", "b": "GPT 4", "c": "gpt 3", "d": "My GPT", "e": "gpt 4", "f": "Ｇpt", "g": "none"}
    await directory.load({"models": [model(key, "ann", name=name) for key, name in names.items()]}, tmp_path)

    expected = ["f", "c", "b", "e", "a", "d"]
    for direction in ("asc", "desc"):
        order = {"query": "gpt", "order_by": "relevance", "direction": direction}
        assert await directory.ids("ann", **order) == expected
        assert [await directory.ids("ann", **order, page_size=4, page=page) for page in (1, 2, 3)] == [
            expected[:4],
            expected[4:],
            [],
        ]
    assert await directory.ids("ann", query="4 gpt", order_by="relevance") == ["b", "e"]
    assert await directory.ids("ann", query='"gpt 4"', order_by="relevance") == ["b", "e"]


async def test_relevance_is_walked_by_cursor(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    names = [f"{'gpt' if at % 3 else 'a gpt'} {at % 5}" for at in range(25)]
    await directory.load({"models": [model(f"m{at:02}", "ann", name=name) for at, name in enumerate(names)]}, tmp_path)
    order = {"query": "GPT", "order_by": "relevance"}
    whole = await directory.ids("ann", **order)
    assert len(whole) == 25
    for size in (1, 4, 7, 16, 17, 24, 25):
        walk, cursor = list[str](), None
        for _ in range(30):
            page = await directory.page("ann", **order, page_size=size, **({"cursor": cursor} if cursor else {}))
            walk += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert walk == whole, size


@pytest.mark.parametrize("query", [{}, {"query": " "}])
async def test_relevance_needs_a_query(directory: Directory, query: dict[str, str]) -> None:
    await directory.user("ann")
    answer = await directory.get(LIST, "ann", order_by="relevance", **query)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["loc"], error["msg"]) == (["query", "order_by"], "relevance needs a query")


async def test_what_can_be_searched_is_named(directory: Directory) -> None:
    await directory.user("ann")
    answer = await directory.get(LIST, "ann", **{"in": "params"})
    [error] = answer.json()["errors"]
    assert (error["loc"], error["allowed"]) == (["query", "in"], ["description"])
    answer = await directory.get(LIST, "ann", searched_in="description")
    assert "in" in answer.json()["errors"][0]["allowed"]


@pytest.mark.parametrize("earlier", [True, False], ids=["described by the version before", "by none"])
async def test_descriptions_stored_before_are_found_after_the_repair_if_not_before(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]], earlier: bool
) -> None:
    await _filled(directory, tmp_path)
    made = {record["_id"]: record for record in raw.models.find()}
    raw.models.update_many({}, {"$unset": {"keys.described": 1}})
    if earlier:
        text = NAMES["one"][1].casefold()
        raw.models.update_one({"_id": "one"}, {"$set": {"keys.description": text}})
    options: dict[str, Any] = {"in": "description", "query": "postgres tuning"}
    assert await directory.ids("bob", **options) == (["one"] if earlier else [])
    assert (await examine(directory.database, repair=True)).repaired == len(NAMES)
    assert await directory.ids("bob", **options) == ["one"]
    assert {record["_id"]: record for record in raw.models.find()} == made
