"""Hostile or careless list requests are answered correctly, or with a 4xx that explains the problem."""

from pathlib import Path

import pytest

from tests.support.directory import LIST, Directory, model

REFUSED = [
    ("page=0", "page"),
    ("page=-1", "page"),
    ("page=1.0", "page"),
    ("page=", "page"),
    ("page=1_0", "page"),
    ("page=%EF%BC%91", "page"),  # a full-width digit
    ("page=" + "9" * 5000, "page"),
    ("page=NaN", "page"),
    ("page_size=0", "page_size"),
    ("page_size=101", "page_size"),
    ("order_by=email", "order_by"),
    ("order_by=", "order_by"),
    ("order_by=keys.text", "order_by"),
    ("direction=up", "direction"),
    ("view_option=all", "view_option"),
    ("kind=other", "kind"),
    ("is_active=1", "is_active"),
    ("is_active=True", "is_active"),
    ("query=" + "a" * 129, "query"),
    ("query=a%00b", "query"),
    ("tag=a%00b", "tag"),
    ("query[$ne]=1", "query[$ne]"),
    ("query=a&query=b", "query"),
    ("$where=1", "$where"),
    ("limit=10", "limit"),
]


@pytest.mark.parametrize(("query", "field"), REFUSED)
async def test_bad_parameters_are_named(directory: Directory, query: str, field: str) -> None:
    await directory.user("ann")
    headers = {"Authorization": f"Bearer {await directory.key('ann')}"}

    answer = await directory.client.get(f"{LIST}?{query}", headers=headers)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["title"] and problem["detail"]
    assert [error["loc"][:2] for error in problem["errors"]] == [["query", field]]


async def test_allowed_values_are_named(directory: Directory) -> None:
    await directory.user("ann")
    answer = await directory.get(LIST, "ann", order_by="x", is_active="maybe")
    errors = {error["loc"][1]: error["allowed"] for error in answer.json()["errors"]}
    assert errors == {"order_by": ["name", "created_at", "updated_at", "relevance"], "is_active": ["true", "false"]}


@pytest.mark.parametrize("query", ["query=%FF", "query=%ED%A0%80", "tag=%C3"])
async def test_text_that_is_not_unicode_is_refused(directory: Directory, query: str) -> None:
    await directory.user("ann")
    headers = {"Authorization": f"Bearer {await directory.key('ann')}"}
    answer = await directory.client.get(f"{LIST}?{query}", headers=headers)
    assert answer.status_code == 422


async def test_a_flood_of_parameters_gets_a_short_answer(directory: Directory) -> None:
    await directory.user("ann")
    headers = {"Authorization": f"Bearer {await directory.key('ann')}"}
    for query in ("a&" * 20_000, "a=1&" * 10_000, "x" * 50_000, "&".join(f"p{at}=1" for at in range(50))):
        answer = await directory.client.get(f"{LIST}?{query}", headers=headers)
        assert answer.status_code == 422
        assert len(answer.content) < 20_000


async def test_nobody_is_sent_to_another_host(directory: Directory) -> None:
    answer = await directory.client.get(f"{LIST}/", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


OPERATORS = [
    "$owner",
    "$$ROOT",
    "$name",
    '{"$ne": 1}',
    "(a+)+$",
    "(" * 128,
    "[",
    "\\",
    "a{1,99999}",
    "(?:",
    "\\x00",
    "\u202e",
    "ﷺ" * 128,  # case folding makes it eighteen times as long
]


@pytest.mark.parametrize("text", OPERATORS)
async def test_operators_and_expressions_are_text(directory: Directory, tmp_path: Path, text: str) -> None:
    await directory.user("ann")
    tags = [text[:100]]
    models = [
        model("hit", "ann", name=text, base_model_id=text[:100], params={"p": text, text: 1}, meta={"tags": tags}),
        model("miss", "ann", name="plain"),
    ]
    assert (await directory.load({"models": models}, tmp_path)).clean

    assert await directory.ids("ann", query=text) == ["hit"]
    assert await directory.ids("ann", tag=tags[0]) == ["hit"]
    [item] = (await directory.page("ann", query=text))["items"]
    assert (item["name"], item["params"]) == (text, {"p": text, text: 1})


async def test_an_unauthenticated_caller_learns_nothing_of_the_parameters(directory: Directory) -> None:
    for query in ("", "?page=0", "?nonsense=1"):
        answer = await directory.client.get(LIST + query)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_limit_of_a_search_term_is_reported_in_characters(directory: Directory) -> None:
    await directory.user("ann")
    answer = await directory.get(LIST, "ann", query="a" * 129)
    assert answer.json()["errors"][0]["msg"] == "String should have at most 128 characters"
