"""Walking the list by cursor."""

import base64
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from bson import ObjectId, Timestamp
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from tests.conftest import Commands
from tests.support.directory import LIST, Directory, grant, model
from tests.support.every_case import repetitions
from tests.support.oracle import Parameters
from tests.support.random_directory import RandomDirectory

ORDERS = [(order_by, way) for order_by in ("created_at", "updated_at", "name") for way in ("asc", "desc")]


async def pages(directory: Directory, user: str, **parameters: Any) -> AsyncIterator[dict[str, Any]]:
    """Yield the pages of a walk, and leave the walker time to change something between them."""
    page = await directory.page(user, **parameters)
    yield page
    parameters.pop("page", None)
    for _ in range(1000):
        if page["next_cursor"] is None:
            return
        page = await directory.page(user, **parameters, cursor=page["next_cursor"])
        yield page
    raise AssertionError("the walk does not end")


async def walked(directory: Directory, user: str, **parameters: Any) -> list[str]:
    return [item["id"] async for page in pages(directory, user, **parameters) for item in page["items"]]


async def _filled(directory: Directory, tmp_path: Path, count: int = 20) -> list[str]:
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    models = [
        model(f"m{at:02}", "ann", name=f"Name {at % 4}", created_at=1_700_000_000 + at % 3, updated_at=at // 5)
        for at in range(count)
    ]
    await directory.load({"models": models}, tmp_path)
    return [one["id"] for one in models]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("order_by", "direction"), ORDERS)
async def test_a_walk_is_the_list_in_its_order(
    directory: Directory, tmp_path: Path, order_by: str, direction: str
) -> None:
    await _filled(directory, tmp_path)
    order = {"order_by": order_by, "direction": direction}
    whole = await directory.ids("ann", **order)
    for size in (1, 3, 10, 19, 20, 21):
        assert await walked(directory, "ann", **order, page_size=size) == whole, size
    # From the middle on, and with every page as long as was asked for.
    assert await walked(directory, "ann", **order, page_size=6, page=2) == whole[6:]
    assert [len(page["items"]) async for page in pages(directory, "ann", **order, page_size=6)] == [6, 6, 6, 2]


async def test_walks_of_random_requests_are_what_the_contract_says(random_directory: RandomDirectory) -> None:
    made = random_directory.generator
    for _ in range(repetitions(15, 400)):
        user = made.random.choice(random_directory.callers)
        parameters: Parameters = made.parameters()
        asked = {name: value for name, value in parameters.items() if name not in {"page", "page_size"}}
        expected = random_directory.oracle.ordered(user, asked)
        size = made.random.choice([max(1, len(expected) // 7), 30, 100])
        actual = await walked(random_directory.directory, user, **asked, page_size=size)
        assert actual == expected, (user, asked, size)


@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_others_may_create_delete_and_rename_meanwhile(
    directory: Directory, tmp_path: Path, direction: str
) -> None:
    staying = await _filled(directory, tmp_path, 30)
    chance, deleted, walk = random.Random(direction), set[str](), list[str]()
    async for page in pages(directory, "ann", direction=direction, page_size=3):
        walk += [item["id"] for item in page["items"]]
        new = f"new-{len(walk)}-{chance.random()}"
        assert (await directory.post("/api/models/create", "ann", {"id": new, "name": "A new one"})).status_code == 200
        renamed, gone = chance.sample(sorted(set(staying) - deleted), 2)
        change = {"id": renamed, "name": chance.choice(["AAA", "ZZZ"])}
        assert (await directory.post("/api/models/model/update", "ann", change)).status_code == 200
        assert (await directory.post("/api/models/model/delete", "ann", {"id": gone})).status_code == 200
        deleted.add(gone)
    assert len(walk) == len(set(walk))
    assert set(staying) - deleted <= set(walk)


async def test_the_item_that_a_cursor_names_may_be_gone(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    first = await directory.page("ann", order_by="name", page_size=5)
    whole = await directory.ids("ann", order_by="name")
    await directory.post("/api/models/model/delete", "ann", {"id": whole[4]})
    rest = await directory.ids("ann", order_by="name", cursor=first["next_cursor"])
    assert rest == whole[5:]


def _content(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "_id"}


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("order_by", "direction"), ORDERS)
async def test_no_stray_is_lost_and_none_comes_for_ever(
    directory: Directory, tmp_path: Path, raw: SyncDatabase[dict[str, Any]], order_by: str, direction: str
) -> None:
    whole = set(await _filled(directory, tmp_path, 9))
    field = {"name": "keys.name"}.get(order_by, order_by)
    record = raw.models.find_one({"_id": "m04"})
    assert record is not None
    odd = [None, 7, float("nan"), "text", {"a": 1}, True, Timestamp(1, 1), "\0", 2**40, b"\1", ObjectId()]

    def insert(document: dict[str, Any]) -> None:
        raw.command("insert", "models", documents=[document], bypassDocumentValidation=True)
        whole.add(str(document["_id"]))

    for at, value in enumerate(odd):
        stray = _content(record) | {"_id": f"s{at:02}"}
        outer, _, inner = field.partition(".")
        if inner:
            stray[outer] = {**stray[outer], inner: value}
        else:
            stray[outer] = value
        insert(stray)
    for at, odd_id in enumerate([3, -1.5, ObjectId(), True, {"x": 1}]):
        insert(_content(record) | {"_id": odd_id, "version": at})
    missing = _content(record) | {"_id": "s-missing", "keys": {**record["keys"]}}
    outer, _, inner = field.partition(".")
    (missing[outer] if inner else missing).pop(inner or outer)
    insert(missing)
    for size in (1, 4, 100):
        walk = await walked(directory, "root", order_by=order_by, direction=direction, page_size=size)
        mine = await walked(directory, "ann", order_by=order_by, direction=direction, page_size=size)
        assert {str(one) for one in walk} == {str(one) for one in mine} == {str(one) for one in whole}
        proper = [one for one in walk if isinstance(one, str) and one.startswith("m")]
        assert len(proper) == len(set(proper)) == 9
        # One with an id that is no text may come twice: in its place on the first page, and at the end.
        strays = [str(one) for one in walk if isinstance(one, str) and one.startswith("s")]
        assert len(strays) == len(set(strays))


async def test_the_link_leads_to_the_next_page(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    assert "link" not in (await directory.get(LIST, "ann", query="absent")).headers
    for path, own in ((LIST, {}), (LIST.replace("/api/", "/api/v1/"), {"kind": "any"})):
        asked = {"query": "name 1", "page_size": "2", "order_by": "name", "tag": "", **own}
        answer = await directory.get(path, "ann", page=2, **asked)
        link = answer.headers["link"]
        assert link.endswith('>; rel="next"')
        target = urlsplit(link[1:].partition(">")[0])
        cursor = answer.json()["next_cursor"]
        pairs = dict(parse_qsl(target.query, keep_blank_values=True))
        assert target.path == path
        assert pairs == {**asked, "cursor": cursor}
        headers = {"Authorization": f"Bearer {await directory.key('ann')}"}
        following = await directory.client.get(f"{target.path}?{target.query}", headers=headers)
        assert [item["id"] for item in following.json()["items"]] == ["m01"]
        assert following.json()["next_cursor"] is None


async def test_nothing_is_counted_where_nobody_needs_the_total(
    directory: Directory, tmp_path: Path, commands: Commands
) -> None:
    await _filled(directory, tmp_path)
    exact = await directory.page("ann", page_size=5)
    commands.clear()
    page = await directory.page("ann", page_size=5, total="none")
    [(_, command)] = commands.on("models")
    assert "$count" not in str(command)
    assert page == {**exact, "total": None}
    following = await directory.page("ann", page_size=5, cursor=page["next_cursor"])
    assert following["total"] == 20


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"page": 1}, "together with page"),
        ({"page": 2}, "together with page"),
        ({"direction": "asc"}, "same order_by and direction"),
        ({"order_by": "name"}, "same order_by and direction"),
        ({"query": "name"}, "other filters"),
        ({"is_active": "true"}, "other filters"),
        ({"owner": "ann"}, "other filters"),
    ],
)
async def test_a_cursor_goes_on_with_the_same_list_only(
    directory: Directory, tmp_path: Path, parameters: dict[str, Any], message: str
) -> None:
    await _filled(directory, tmp_path)
    cursor = (await directory.page("ann", page_size=5))["next_cursor"]
    # What does not change the list does not matter.
    assert (await directory.page("ann", page_size=7, total="none", tag=" ", cursor=cursor))["items"]
    answer = await directory.get(LIST, "ann", cursor=cursor, **parameters)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["loc"] == ["query", "cursor"]
    assert message in error["msg"]


async def test_a_cursor_gives_no_rights(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    for size in (1, 10):
        cursor = (await directory.page("ann", page_size=size))["next_cursor"]
        page = await directory.page("bob", cursor=cursor)
        assert page == {"items": [], "total": 0, "next_cursor": None}


BAD_PLACES: list[tuple[Any, ...]] = [
    *((-1, 0, None, None, False), (0, 10**13, None, None, False), (0, True, None, None, False), (0, 0, 1)),
    *((0, 0, "text", "m01", False), (0, 0, 2**64 - 1, "m01", False), (0, 0, {"$gt": 1}, "m01", False)),
    *((0, 0, 1, {"$gt": ""}, False), (0, 0, 1, 1, False), (0, 0, 1, False, False), (0, 0, 1.5, "m01", False)),
    *((0, 0, 1, "m01", 1), ([], 0, 1, "m01", False)),
]
HARMLESS_PLACES: list[tuple[Any, ...]] = [
    *((0, 10**12, None, None, False), (0, 0, -(2**63), "m01", False), (0, 0, 2**62, "\0", True)),
    (99, 0, None, None, False),
]


def _forged(*content: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=").decode()


async def test_a_forged_cursor_is_refused_or_harmless(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    cursor = (await directory.page("ann", page_size=5))["next_cursor"]
    form, order, filters, *place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    refused = ["x", "é", "%00", "a" * 5000, cursor[:-3], _forged(), _forged(form), _forged(form, order)]
    refused += [_forged(form + 1, order, filters, *place), _forged(form, order, filters, *place, 1)]
    refused += [_forged(form, order, filters, *bad) for bad in BAD_PLACES]
    for text in refused:
        answer = await directory.get(LIST, "ann", cursor=text)
        assert answer.status_code == 422, text
        assert answer.json()["errors"][0]["loc"] == ["query", "cursor"], text
    for harmless in HARMLESS_PLACES:
        answer = await directory.get(LIST, "bob", cursor=_forged(form, order, filters, *harmless))
        assert answer.status_code in {200, 422}, harmless
        assert answer.json().get("items", []) == []


async def test_a_cursor_leaves_out_what_was_hidden_meanwhile(directory: Directory, tmp_path: Path) -> None:
    await directory.user("ann")
    await directory.user("bob")
    models = [model(f"m{at}", "ann", access_grants=[grant("user:bob")]) for at in range(6)]
    await directory.load({"models": models}, tmp_path)
    first = await directory.page("bob", page_size=2, direction="asc")
    await directory.post("/api/models/model/access/update", "ann", {"id": "m3", "access_grants": []})
    page = await directory.page("bob", direction="asc", cursor=first["next_cursor"])
    assert [item["id"] for item in page["items"]] == ["m2", "m4", "m5"]
    assert page["total"] == 5
