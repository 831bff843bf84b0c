"""Followers have places of their own, can't be made to take memory, and go on only from where they were."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import jwt
import pytest
from pydantic import SecretStr
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.auth.authentication import Caller
from service.changes import follower, following, missed
from service.changes.entries import FeedPosition
from service.clock import now
from service.database.client import Database
from service.models.history.retention import remove_old
from service.settings import Settings
from tests.support.asgi_exchange import Exchange
from tests.support.directory import Directory, grant
from tests.support.following import CHANGES, Following, begin, follow
from tests.support.slow_clients import taken
from tests.support.tokens import claims

CREATE, UPDATE = "/api/models/create", "/api/models/model/update"


async def fill(directory: Directory) -> Directory:
    for user in ("ann", "ben", "cat"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    body = {"id": "m", "name": "0", "params": {"system": "secret"}, "access_grants": [grant("user:*")]}
    assert (await directory.post(CREATE, "ann", body)).status_code == 200
    return directory


async def rename(directory: Directory, *names: str, **fields: Any) -> None:
    for name in names:
        assert (await directory.post(UPDATE, "ann", {"id": "m", "name": name, **fields})).status_code == 200


def names(following: Following) -> list[str]:
    return [event.data["name"] for event in following.events]


async def ended(running: asyncio.Task[Exchange]) -> bytes:
    return (await asyncio.wait_for(running, 30)).body


async def test_they_take_no_place_from_others_nor_all_from_each_other(mongod: Database, settings: Settings) -> None:
    changed = settings.model_copy(update={"max_followers": 17, "max_in_flight": 2})
    async with Directory.on(mongod, changed) as directory:
        await fill(directory)
        opened = [await begin(directory, user) for user in ("ann", "ben", "cat", "root") for _ in range(2)]
        assert [one.status for one, _ in opened] == [200] * 8
        assert taken(directory) == {"FOLLOWING": 8}
        refused, _ = await begin(directory, "ann")
        assert (refused.status, refused.response_headers["retry-after"]) == (503, "2")
        assert b"followers" in refused.body
        assert (await directory.page("ben"))["total"] == 1
        metrics = (await directory.get("/metrics")).text
        assert "modeldeck_followers 8.0" in metrics and "modeldeck_requests_in_flight 0.0" in metrics
        for one, running in opened:
            one.disconnect()
            await ended(running)
        assert taken(directory) == {}
    async with Directory.on(mongod, settings.model_copy(update={"max_followers": 0})) as directory:
        refused, _ = await begin(directory, "ann", key=await directory.key("ann", name="other"))
        assert refused.status == 503


async def test_a_token_is_good_for_its_user_only_and_none_can_be_made_up(directory: Directory) -> None:
    await fill(directory)
    async with follow(directory, "ann") as ann:
        token = ann.token
    flipped = token[:-3] + ("A" if token[-3] != "A" else "B") + token[-2:]
    of_mongodb = "826B0DF0130000000D2B022C0100296E5A1004F190017B9D594CB5B05387703DCF12EA461E5F6964002B020004"
    for made_up in (
        flipped,
        token[:-4],
        token + "AAAA",
        of_mongodb,
        "x",
        "%",
        "A" * 200,
        "A" * 201,
        '{"_data":1}',
        "-1",
    ):
        for headers, query in (({"Last-Event-ID": made_up}, {}), ({}, {"since": made_up})):
            key = {"Authorization": f"Bearer {await directory.key('ann')}"}
            answer = await directory.client.get(CHANGES, params=query, headers={**key, **headers})
            assert answer.status_code == 422, (made_up, answer.text)
            where = ["query", "since"] if query else ["header", "Last-Event-ID"]
            assert [error["loc"] for error in answer.json()["errors"]] == [where]
    assert (await begin(directory, "ben", last=token))[0].status == 422
    # The header counts more: a browser that comes back sends both.
    await rename(directory, "1")
    async with follow(directory, "ann", last=token, since="x", follow="false") as again:
        assert names(again) == ["1"]
    async with follow(directory, "ann", path="/api/v1/models/changes", since=token, follow="false", x="y") as again:
        assert names(again) == ["1"]


async def test_what_is_no_longer_there_is_gone(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(directory)
    async with follow(directory, "ann") as ann:
        beginning = ann.token
        await rename(directory, "1", "2", "3")
        await ann.seen(3)
        monkeypatch.setattr(missed, "MAX_KEPT", 1)
        monkeypatch.setattr(missed, "MAX_MISSED", 2)
        await rename(directory, "4")
        await ann.seen(4)
        gone, _ = await begin(directory, "ann", last=beginning)
        assert (gone.status, gone.response_headers["content-type"]) == (410, "application/problem+json")
        async with follow(directory, "ann", last=ann.events[2].token, follow="false") as again:
            assert names(again) == ["4"]
        tokens = directory.app.state.changes.tokens
        ahead = tokens.token(FeedPosition(2**32 - 1, 1, 1), "ann")
        assert (await begin(directory, "ann", last=ahead))[0].status == 410


async def test_without_the_history_they_are_told_to_get_the_models_anew(directory: Directory) -> None:
    await fill(directory)
    async with follow(directory, "ben") as ben:
        pass
    await rename(directory, "1", "2", "3")
    assert await remove_old(directory.database, now() + timedelta(days=1)) == 3
    async with follow(directory, "ben", last=ben.token, follow="false") as again:
        assert again.briefs == [("resync", None), ("updated", "m"), ("updated", "m")]


async def test_who_reads_nothing_is_ended_and_can_go_on(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "MAX_WAITING", 5)
    monkeypatch.setattr(following, "LAST_SECONDS", 0.2)
    await fill(directory)
    ben, running = await begin(directory, "ben")
    ben.reads.clear()
    expected = [str(number) for number in range(1, 11)]
    async with follow(directory, "cat") as cat:
        for count, name in enumerate(expected, 1):
            await rename(directory, name)
            # Who reads is never behind by more than one.
            await cat.seen(count)
        body = await ended(running)
    assert taken(directory) == {}
    assert body.count(b"event:") < 10
    assert ben.sent[-1].get("more_body") is not False
    async with follow(directory, "ben", last=ben.token) as again:
        await again.seen(10 - len(ben.events))
        assert names(ben) + names(again) == expected


async def test_a_large_model_is_sent_in_small_parts(directory: Directory) -> None:
    await fill(directory)
    async with follow(directory, "ben") as ben:
        await rename(directory, "large", meta={"text": "x" * 400_000})
        await ben.seen(1)
        assert len(ben.events[0].data["meta"]["text"]) == 400_000
        assert max(len(message.get("body", b"")) for message in ben.sent) <= 16_384


async def test_models_are_shown_as_the_service_is_set_to_show_them(mongod: Database, settings: Settings) -> None:
    changed = settings.model_copy(update={"readers_see_params": True, "root_path": "/modeldeck"})
    async with Directory.on(mongod, changed) as directory:
        await fill(directory)
        async with follow(directory, "ben") as ben:
            await rename(directory, "1")
            await ben.seen(1)
            assert ben.events[0].data == (await directory.page("ben"))["items"][0]
            assert ben.events[0].data["params"] == {"system": "secret"}
            assert ben.events[0].data["meta"]["profile_image_url"] == "/modeldeck/static/favicon.png"


async def test_they_end_at_once_with_the_process(directory: Directory) -> None:
    await fill(directory)
    opened = [await begin(directory, user) for user in ("ann", "ben")]
    directory.app.state.changes.feed.close()
    for one, running in opened:
        await ended(running)
        assert one.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    refused, _ = await begin(directory, "ann")
    assert (refused.status, "retry-after" in refused.response_headers) == (503, True)


async def test_now_and_then_there_is_a_token_without_an_event(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_SECONDS", 0.2)
    await fill(directory)
    async with follow(directory, "ben") as ben:
        await directory.post(CREATE, "ann", {"id": "hidden", "name": "Hidden"})
        await ben.until(lambda: ben.body.count(b":\nid: ") >= 3)
        later = ben.token
    assert ben.events == []
    assert len({len(line) for line in ben.body.split(b"\n") if line.startswith(b"id: ")}) == 1
    await rename(directory, "1")
    async with follow(directory, "ben", last=later, follow="false") as again:
        assert names(again) == ["1"]


async def test_a_token_that_is_not_valid_any_more_ends_however_much_there_is_to_show(
    mongod: Database, settings: Settings, raw: SyncDatabase[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_SECONDS", 0.2)
    secret = "s" * 40
    async with Directory.on(mongod, settings.model_copy(update={"jwt_secret": SecretStr(secret)})) as directory:
        await fill(directory)
        raw.users.update_one({"_id": "ben"}, {"$set": {"session_stamp": "one"}})
        token = jwt.encode(claims(sub="ben", session_stamp="one"), secret)
        ben, running = await begin(directory, "ben", key=token)
        await rename(directory, "1", "2")
        assert await ben.seen(2) == [("updated", "m")] * 2
        # Signing out elsewhere changes the stamp, of which no follower is told.
        raw.users.update_one({"_id": "ben"}, {"$set": {"session_stamp": "two"}})
        for number in range(500):
            if running.done():
                break
            await rename(directory, f"after {number}")
        assert running.done()


async def test_who_looks_at_one_model_is_not_cut_off_by_changes_of_others(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "HEARTBEAT_SECONDS", 0.1)
    of_one = partial(follower.Follower, model_id="another")
    monkeypatch.setattr(following, "Follower", of_one)
    await fill(directory)
    async with follow(directory, "ben") as ben:
        first = ben.token
        for number in range(500):
            if ben.token != first:
                break
            await rename(directory, f"{number}")
        assert ben.token != first
        assert ben.events == []


async def test_a_follower_of_a_stream_that_has_ended_does_not_hold_up_the_next_one(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However late.
    monkeypatch.setattr("service.changes.following.LAST_SECONDS", 0.0)
    await fill(directory)
    authenticator, feed = directory.app.state.context.authenticator, directory.app.state.changes.feed
    reached, go_on, rights_of = asyncio.Event(), asyncio.Event(), authenticator.rights_of

    async def late(caller: Caller) -> Any:
        if caller.user_id == "ann":
            reached.set()
            await go_on.wait()
        return await rights_of(caller)

    async with follow(directory, "ann") as ann:
        token = ann.token
    monkeypatch.setattr(authenticator, "rights_of", late)
    waiting = asyncio.create_task(begin(directory, "ann", last=token))
    await reached.wait()
    await rename(directory, "meanwhile")
    feed._task.cancel()
    await asyncio.wait({feed._task})
    starting = asyncio.create_task(begin(directory, "ben"))
    go_on.set()
    (late_one, _), (ben, running) = await waiting, await starting
    assert late_one.status == 503
    assert ben.status == 200
    ben.disconnect()
    await ended(running)


async def test_the_stream_ends_when_nobody_follows_and_begins_again_for_who_comes(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(directory)
    feed = directory.app.state.changes.feed
    # Whoever is about to follow needs it too.
    started, start = asyncio.Event(), feed._start

    def starting() -> None:
        start()
        started.set()

    monkeypatch.setattr(feed, "_start", starting)
    coming = asyncio.create_task(begin(directory, "ann"))
    await started.wait()
    feed._stop_when_idle()
    ann, running = await coming
    assert ann.status == 200
    feed._stop_when_idle()
    await rename(directory, "1")
    assert await ann.seen(1) == [("updated", "m")]
    ann.disconnect()
    await ended(running)
    feed._stop_when_idle()
    async with follow(directory, "cat") as cat:
        await rename(directory, "2")
        assert await cat.seen(1) == [("updated", "m")]


async def test_who_reads_what_they_missed_holds_up_nobody_else(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(directory)
    tokens = {}
    for user in ("ann", "ben"):
        async with follow(directory, user) as one:
            tokens[user] = one.token
    await rename(directory, "1")
    missed_here = directory.app.state.changes.feed.missed
    reached, go_on, read = asyncio.Event(), asyncio.Event(), missed_here._read

    async def long(*until: Any) -> Any:
        if not reached.is_set():
            reached.set()
            await go_on.wait()
        return await read(*until)

    monkeypatch.setattr(missed_here, "_read", long)
    async with follow(directory, "cat"):
        # As after more changes than are kept.
        monkeypatch.setattr(missed_here, "_begin", missed_here._begin._replace(seconds=2**32 - 1))
        reading = asyncio.create_task(begin(directory, "ann", last=tokens["ann"]))
        await reached.wait()
        again, _ = await begin(directory, "ann", last=tokens["ann"])
        assert (again.status, "retry-after" in again.response_headers) == (503, True)
        async with follow(directory, "ben", last=tokens["ben"]) as ben:
            assert await ben.seen(1) == [("updated", "m")]
        go_on.set()
        ann, running = await reading
        assert await ann.seen(1) == [("updated", "m")]
        ann.disconnect()
        await ended(running)
