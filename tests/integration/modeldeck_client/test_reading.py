"""What a Python client reads: lists, models, histories, and why someone may read a model."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.responses import HTMLResponse, Response

from modeldeck_client import Forbidden, Invalid, NotFound, Problem, TooManyRequests, Unauthorized, UnexpectedAnswer
from tests.support.directory import LIST, Directory, grant, model
from tests.support.python_clients import Client, Connect
from tests.support.served_directory import ServedDirectory


async def test_a_walk_through_a_long_list_gives_each_model_once_while_others_create_and_delete(
    ann: Client, serving: ServedDirectory, tmp_path: Path
) -> None:
    directory = serving.directory
    await directory.load({"models": [model(f"m{number:03}", "ann") for number in range(230)]}, tmp_path)

    async def change() -> None:
        await directory.post("/api/models/create", "ann", {"id": "a-first", "name": "A"})
        await directory.post("/api/models/model/delete", "ann", {"id": "m000"})

    for _ in range(2):
        serving.meanwhile("GET", LIST, change)
    found = [one["id"] async for one in ann.models(order_by="name", direction="asc", fields=["name"])]
    assert [one for one in found if one.startswith("m")] == [f"m{number:03}" for number in range(230)][1:]
    assert len(serving.sent("GET", LIST)) == 3


async def test_the_filters_of_the_list(ann: Client, serving: ServedDirectory, tmp_path: Path) -> None:
    directory = serving.directory
    await directory.group("g")
    common = {"base_model_id": "b", "access_grants": [grant("group:g")], "is_active": True}
    tags = {"description": "needle", "capabilities": {"vision": True}, "tags": ["x", "y"]}
    models = [model("both", "ann", meta=tags, **common), model("one", "ann", meta={"tags": ["x"]})]
    await directory.load({"models": models}, tmp_path)
    since = datetime(2023, 1, 1, tzinfo=UTC)
    page = await ann.call(
        "page",
        query="needle",
        in_="description",
        tag=["x", "y"],
        kind="custom",
        owner="ann@example.com",
        capability="vision",
        base_model_id="b",
        id=["both", "one"],
        created_since=since,
        updated_since=1_600_000_000,
        group="g",
        is_active=True,
        order_by="relevance",
        view_option="created",
        facets=["kind", "tag"],
    )
    assert [one["id"] for one in page["items"]] == ["both"]
    assert page["total"] == 1
    assert page["facets"]["kind"] == [{"value": "custom", "count": 1}]
    with pytest.raises(ValueError, match="created_since: a time needs a time zone"):
        await ann.call("page", created_since=datetime(2023, 1, 1))


async def test_an_empty_list_does_not_stand_for_everything(ann: Client) -> None:
    for name in ("id", "owner", "tag", "fields"):
        with pytest.raises(ValueError, match=f"{name}: must not be empty; None leaves it out"):
            await ann.call("page", **{name: []})
    with pytest.raises(ValueError, match="id: must not be empty"):
        await anext(ann.models(id=[]))
    with pytest.raises(ValueError, match="model_ids: must not be empty"):
        await ann.call("export", iter(()))


async def test_one_model_its_history_and_who_may_read_it(ann: Client, serving: ServedDirectory) -> None:
    created = await ann.call("create", {"id": "org/m:1", "name": "M"})
    assert await ann.call("get", "org/m:1") == created
    assert await ann.call("get", "org/m:1", unless_version=1) is None
    assert (await ann.call("get", "org/m:1", unless_version=2)) == created
    assert [one["change"] for one in (await ann.call("history", "org/m:1"))["items"]] == ["create"]
    assert (await ann.call("explain", "org/m:1", "ann"))["can_write"]
    assert [one["user"]["id"] for one in (await ann.call("readers", "org/m:1"))["items"]] == ["ann"]
    for chosen in ("org/m:1", ["org/m:1"], iter(["org/m:1"]), None):
        assert await ann.call("export", chosen) == [created]


async def test_problems_are_told_apart(connect: Connect, ann: Client, directory: Directory) -> None:
    await directory.user("ben")
    await ann.call("create", {"id": "shared", "name": "S", "access_grants": [grant("user:ben")]})
    with pytest.raises(NotFound, match="404 Not Found: There is no such model") as absent:
        await ann.call("get", "missing")
    assert absent.value.request_id is not None
    with pytest.raises(Invalid) as invalid:
        await ann.call("page", order_by="relevance", page_size=101)
    assert [fault["loc"] for fault in invalid.value.errors] == [["query", "page_size"], ["query", "order_by"]]
    async with connect(await directory.key("ben")) as ben:
        with pytest.raises(Forbidden):
            await ben.call("share", "shared", "user:*")
    async with connect("mdk_wrong") as nobody:
        with pytest.raises(Unauthorized) as refused:
            await nobody.call("get", "shared")
    assert isinstance(refused.value, Problem)
    assert "mdk_wrong" not in repr(nobody.used) + str(refused.value)


async def test_an_answer_that_is_not_modeldecks(ann: Client, serving: ServedDirectory) -> None:
    nested = "[" * 100_000
    problem = Response(nested, 404, media_type="application/problem+json")
    for answer in (
        *(HTMLResponse("<h1>Sign in</h1>"), HTMLResponse("Not found", 404), Response(status_code=204)),
        *(Response(nested, media_type="application/json"), problem),
    ):
        serving.answer("GET", LIST, answer)
        with pytest.raises(UnexpectedAnswer, match=f"/api/models/list is not Modeldeck's: status {answer.status_code}"):
            await ann.call("page", query="secret")


async def test_the_user_of_the_key(ann: Client) -> None:
    me = await ann.call("me")
    assert (me["id"], me["role"], me["group_ids"]) == ("ann", "user", [])


async def test_it_waits_as_long_as_it_is_told_to_but_not_longer_than_it_has_patience(
    connect: Connect, serving: ServedDirectory
) -> None:
    def refusal(status: int, seconds: int) -> Response:
        body = f'{{"status": {status}, "title": "T", "detail": "D"}}'
        return Response(body, status, {"Retry-After": str(seconds)}, "application/problem+json")

    key = await serving.directory.key("ann")
    async with connect(key, patience=5) as patient:
        serving.answer("GET", LIST, refusal(503, 0))
        serving.answer("GET", LIST, HTMLResponse("Bad gateway", 502))
        assert (await patient.call("page"))["items"] == []
        serving.answer("GET", LIST, refusal(429, 60))
        with pytest.raises(TooManyRequests) as refused:
            await patient.call("page")
    assert refused.value.retry_after == 60
    assert len(serving.sent("GET", LIST)) == 4


async def test_the_service_may_be_below_a_path(connect: Connect, serving: ServedDirectory) -> None:
    serving.stripped = "/modeldeck"
    async with connect(await serving.directory.key("ann"), "/modeldeck/") as ann:
        assert (await ann.call("page"))["total"] == 0
    assert len(serving.sent("GET", f"/modeldeck{LIST}")) == 1
