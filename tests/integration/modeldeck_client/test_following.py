"""A Python client that follows changes: through broken connections and restarts, and to a clear end."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.responses import HTMLResponse, Response

from modeldeck_client import (
    AsyncModeldeck,
    Event,
    Gone,
    Invalid,
    ModelHidden,
    ModelShown,
    NoAnswer,
    Resync,
    Unauthorized,
    UnexpectedAnswer,
)
from modeldeck_client.following import Follower
from service.changes import missed
from tests.support.directory import Directory, grant
from tests.support.python_clients import Client, Connect
from tests.support.served_directory import ServedDirectory

CHANGES = "/api/models/changes"


def _id(event: Event) -> str:
    assert isinstance(event, ModelShown)
    return event.model["id"]


@pytest.fixture(autouse=True)
def soon_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have followers come back after hundredths of a second."""
    monkeypatch.setattr("service.changes.messages.RETRY_MILLISECONDS", (10, 20))


async def create(directory: Directory, model_id: str, **fields: Any) -> None:
    body = {"id": model_id, "name": model_id, **fields}
    assert (await directory.post("/api/models/create", "ann", body)).status_code == 200


async def test_it_begins_with_a_resync_and_then_shows_each_change(
    connect: Connect, ann: Client, directory: Directory
) -> None:
    await directory.user("ben")
    async with connect(await directory.key("ben")) as ben, ben.following() as events:
        assert isinstance(await anext(events), Resync)
        # What U+2028 does to lines that are split as text.
        await create(directory, "m", name="A\u2028B", access_grants=[grant("user:ben")])
        shown = await anext(events)
        assert isinstance(shown, ModelShown)
        assert (shown.kind, shown.model["name"], shown.model["version"]) == ("created", "A\u2028B", 1)
        await ann.call("unshare", "m", "user:ben")
        hidden = await anext(events)
        assert hidden == ModelHidden("removed", "m", hidden.token)


async def test_nothing_is_missed_or_shown_twice_when_connections_break_and_the_service_is_restarted(
    connect: Connect, serving: ServedDirectory
) -> None:
    directory = serving.directory
    # Who has been connected needs no patience to come back.
    async with connect(await directory.key("ann"), patience=0) as ann, ann.following() as events:
        await anext(events)
        await create(directory, "before")
        assert _id(await anext(events)) == "before"
        serving.break_connections()
        await create(directory, "broken")
        assert _id(await anext(events)) == "broken"
        busy = json.dumps({"status": 503, "title": "T", "detail": "D"})
        serving.answer("GET", CHANGES, Response(busy, 503, {"Retry-After": "0"}, "application/problem+json"))
        serving.answer("GET", CHANGES, HTMLResponse("Bad gateway", 502))
        serving.answer("GET", CHANGES, Response("event: deleted\nid: half", media_type="text/event-stream"))
        await serving.stop()
        await create(directory, "meanwhile")
        await serving.start()
        await create(directory, "afterwards")
        assert _id(await anext(events)) == "meanwhile"
        last = await anext(events)
        assert _id(last) == "afterwards"
        # The first, after the break, two that were refused, one that ended in the middle, and after the restart.
        assert len(serving.sent("GET", CHANGES)) == 6
    async with connect(await directory.key("ann")) as ann, ann.following(last.token) as events:
        await create(directory, "later")
        assert _id(await anext(events)) == "later"


async def test_it_ends_when_the_key_is_revoked(connect: Connect, directory: Directory) -> None:
    key = await directory.key("ann", name="revoked")
    async with connect(key) as ann, ann.following() as events:
        await anext(events)
        keys = (await directory.get("/api/keys", "ann")).json()
        [revoked] = [one["id"] for one in keys if one["name"] == "revoked"]
        assert (await directory.post("/api/keys/revoke", "ann", {"id": revoked})).status_code == 200
        with pytest.raises(Unauthorized):
            await anext(events)


async def test_it_ends_when_what_was_missed_is_not_kept_any_more(
    ann: Client, serving: ServedDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ann.following() as events:
        token = (await anext(events)).token
        for limit in ("MAX_KEPT", "MAX_MISSED"):
            monkeypatch.setattr(missed, limit, 1)
        for model_id in ("a", "b", "c"):
            await create(serving.directory, model_id)
            assert _id(await anext(events)) == model_id
        async with ann.following(token) as late:
            with pytest.raises(Gone):
                await anext(late)
    async with ann.following("of-another-directory") as events:
        with pytest.raises(Invalid):
            await anext(events)


async def test_an_answer_that_is_no_stream_is_not_tried_again(ann: Client, serving: ServedDirectory) -> None:
    async with ann.following() as events:
        await anext(events)
        serving.answer("GET", CHANGES, HTMLResponse("Sign in"))
        serving.break_connections()
        with pytest.raises(UnexpectedAnswer, match=f"{CHANGES} is not Modeldeck's: status 200, text/html"):
            await anext(events)


@pytest.mark.parametrize(
    "content",
    [
        *("id: t\nevent: deleted\n\n", "id: t\nevent: deleted\ndata: {\n\n", "event: removed\ndata: []\n\n"),
        *(b"id: \xff\n\n", "event: created\ndata: " + "[" * 100_000 + "\n\n", "event: removed\ndata: {}\n\n"),
    ],
    ids=range(6),
)
async def test_a_stream_that_is_not_modeldecks_ends_with_an_error_of_the_client(
    ann: Client, serving: ServedDirectory, content: str | bytes
) -> None:
    serving.answer("GET", CHANGES, Response(content, media_type="text/event-stream"))
    async with ann.following("token") as events:
        with pytest.raises(UnexpectedAnswer):
            await anext(events)


@pytest.mark.parametrize("retry", ["86400000", "9" * 5_000])
def test_no_service_makes_a_follower_wait_for_ever(retry: str) -> None:
    follower = Follower(None, patience=5)
    follower.begin(httpx.Response(200, headers={"Content-Type": "text/event-stream"}))
    [first] = follower.events(f"retry: {retry}\nid: t\n\n".encode())
    assert isinstance(first, Resync)
    follower.disconnected(None)
    assert follower.request.after <= 30


async def test_who_never_reached_the_service_is_told_so(connect: Connect, serving: ServedDirectory) -> None:
    await serving.stop()
    async with connect("mdk_key", patience=0.1) as ann, ann.following() as events:
        with pytest.raises(NoAnswer):
            await anext(events)
    await serving.start()


async def test_a_closed_iterator_closes_its_connection(ann: Client, serving: ServedDirectory) -> None:
    async with ann.following() as events:
        await anext(events)
        assert serving.at_work == 1
    await serving.idle()


async def test_a_task_that_is_cancelled_closes_its_connection(serving: ServedDirectory) -> None:
    async with AsyncModeldeck(serving.url, await serving.directory.key("ann")) as ann:
        events = ann.follow()
        await anext(events)
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await serving.idle()
    assert waiting.cancelled()
