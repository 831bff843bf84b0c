"""Requests that take long: each kind has places of its own, nobody has all of them, and revocation ends them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from documents.user import Role
from service.database.client import Database
from service.http import dependencies
from service.http.places import LongRequest
from service.importing.writers import models as model_writer
from service.models import bulk_change, store
from tests.conftest import settings_in
from tests.support.asgi_exchange import Exchange
from tests.support.directory import Directory, grant, model
from tests.support.meanwhile import after

CREATE, EXPORT, IMPORT, SYNC = (f"/api/models/{route}" for route in ("create", "export", "import", "sync"))
STATE = "/api/models/bulk/state"
# Places for two requests of each kind, one for each user; eight requests in flight.
FEW = {"max_in_flight": 8}
MANY_SECONDS = 30.0


@pytest.fixture
async def busy(mongod: Database, tmp_path: Path) -> AsyncIterator[Directory]:
    """A directory with few places: the admins root and other, and the users ann, ben and cat, with models of ann."""
    async with Directory.on(mongod, settings_in(tmp_path).model_copy(update=FEW)) as directory:
        await directory.group("team")
        for admin in ("root", "other"):
            await directory.user(admin, role=Role.ADMIN)
        for user in ("ann", "ben", "cat"):
            await directory.user(user, groups=["team"])
        shared = [model(f"m{n}", "ann", access_grants=[grant("group:team")]) for n in range(6)]
        await directory.load({"models": shared}, tmp_path)
        yield directory


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(int(MANY_SECONDS * 1000)):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError


def taken(directory: Directory) -> dict[str, int]:
    """Return how many places of each kind are taken, without those of which none is."""
    places: dict[LongRequest, Any] = directory.app.state.context.places
    return {kind.name: place.taken for kind, place in places.items() if place.taken}


@dataclass
class SlowReader(Exchange):
    """A client that reads the beginning of an answer, and nothing more until it is told to."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> None:
        await super().send(message)
        if message["type"] == "http.response.body":
            await self.go_on.wait()


async def read_slowly(directory: Directory, user: str, path: str = EXPORT) -> tuple[SlowReader, asyncio.Task[Exchange]]:
    """Begin to read an answer, and return once its first part has arrived."""
    reader = SlowReader(path, headers={"Authorization": f"Bearer {await directory.key(user)}"})
    reading = asyncio.create_task(reader.with_app(directory.app))
    await until(lambda: len(reader.sent) > 1)
    return reader, reading


async def halves(go_on: asyncio.Event, body: bytes) -> AsyncIterator[bytes]:
    """Yield a body, the second half of it when it is time."""
    yield body[:5]
    await go_on.wait()
    yield body[5:]


async def send_slowly(directory: Directory, user: str, path: str, go_on: asyncio.Event) -> asyncio.Task[httpx.Response]:
    """Begin to send an empty set of models."""
    headers = {"Authorization": f"Bearer {await directory.key(user)}"}
    sending = directory.client.post(path, content=halves(go_on, b'{"models": []}'), headers=headers)
    return asyncio.create_task(sending)


# --- Places


async def test_slow_readers_hold_no_place_but_those_of_exports(busy: Directory) -> None:
    readers = [await read_slowly(busy, user) for user in ("ann", "ben")]
    assert taken(busy) == {"STREAM": 2}
    for user in ("ann", "cat"):
        refused = await busy.get(EXPORT, user)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert "exports" in refused.json()["detail"]
    for path, body in (
        ("/api/users/update", {"id": "ben", "is_active": False}),
        ("/api/groups/members/remove", {"id": "team", "user_ids": ["ann"]}),
        (STATE, {"filter": {}, "is_active": False}),
        ("/api/users/delete", {"id": "ben"}),
    ):
        assert (await busy.post(path, "root", body)).status_code == 200
    assert (await busy.page("cat"))["total"] == 6
    for reader, reading in readers:
        reader.go_on.set()
        await reading
    assert taken(busy) == {}


async def test_nobody_has_all_places_of_a_kind(busy: Directory) -> None:
    reader, reading = await read_slowly(busy, "ann")
    assert (await busy.get(EXPORT, "ann")).status_code == 503
    assert (await busy.get(EXPORT, "ben")).status_code == 200
    reader.go_on.set()
    assert (await reading).body.startswith(b"[{")
    assert (await busy.get(EXPORT, "ann")).status_code == 200


@pytest.mark.parametrize("path", [IMPORT, f"{IMPORT}?format=modeldeck", SYNC])
async def test_a_body_that_arrives_slowly_takes_no_place_until_it_is_there(busy: Directory, path: str) -> None:
    go_on = asyncio.Event()
    sending = [await send_slowly(busy, admin, path, go_on) for admin in ("root", "other") for _ in range(4)]
    await until(lambda: taken(busy) == {"SLOW_BODY": 8})
    # One user may send half as many at a time as there are requests in flight; all of them take no place from others.
    assert (await busy.post(CREATE, "root", {"id": "n", "name": "N"})).status_code == 200
    refused = await send_slowly(busy, "root", path, asyncio.Event())
    assert ((await refused).status_code, "slowly" in (await refused).json()["detail"]) == (503, True)
    assert (await busy.page("cat"))["total"] == 6
    assert (await busy.post(STATE, "ann", {"filter": {}, "is_active": True})).status_code == 200
    go_on.set()
    # Of those that are complete at once, each of the two users has one place for changes of many models.
    statuses = [(await one).status_code for one in sending]
    assert set(statuses) <= {200, 422, 503}
    assert sum(status != 503 for status in statuses) >= 2
    assert taken(busy) == {}


async def test_a_slow_body_of_a_caller_without_a_credential_is_not_waited_for(busy: Directory) -> None:
    answer = await busy.client.post(CREATE, content=halves(asyncio.Event(), b"{}    "))
    assert answer.status_code == 401
    assert taken(busy) == {}


# --- Revocation


async def leave(directory: Directory, user: str) -> None:
    """Have a user leave the group through which they read what ann shares."""
    left = await directory.post("/api/groups/members/remove", "root", {"id": "team", "user_ids": [user]})
    assert left.json() == {"changed": 1}


async def deactivate(directory: Directory, user: str) -> None:
    """Deactivate a user."""
    assert (await directory.post("/api/users/update", "root", {"id": user, "is_active": False})).status_code == 200


LOSSES = pytest.mark.parametrize("lose", [leave, deactivate])


@LOSSES
@pytest.mark.parametrize("kind", ["", "?format=jsonl", "?format=csv", "?format=openwebui"])
async def test_an_export_ends_when_its_caller_loses_rights(
    busy: Directory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    lose: Callable[[Directory, str], Awaitable[None]],
    kind: str,
) -> None:
    for package in ("exporting.content", "listing.page"):
        monkeypatch.setattr(f"service.{package}.BATCH", 2)
    path, _, query = f"{EXPORT}{kind}".partition("?")
    reader = SlowReader(path, headers={"Authorization": f"Bearer {await busy.key('ben')}"}, query=query)
    reading = asyncio.create_task(reader.with_app(busy.app))
    await until(lambda: b"m0" in reader.body)
    await lose(busy, "ben")
    await busy.post(CREATE, "ann", {"id": "m9", "name": "Later", "access_grants": [grant("group:team")]})
    reader.go_on.set()
    await reading
    # One batch may have been read before.
    assert b"m1" in reader.body
    assert b"m4" not in reader.body
    assert b"m9" not in reader.body
    assert reader.sent[-1].get("more_body") is True
    assert taken(busy) == {}
    assert [record.levelname for record in caplog.records if "broken off" in record.message] == ["WARNING"]
    assert "unexpected error" not in caplog.text


async def test_an_export_goes_on_when_its_caller_gets_more_rights(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.listing.page.BATCH", 2)
    await busy.group("more")
    reader, reading = await read_slowly(busy, "ben")
    await busy.post("/api/groups/members/add", "root", {"id": "more", "user_ids": ["ben"]})
    reader.go_on.set()
    assert b"m5" in (await reading).body


async def test_a_client_that_reads_nothing_any_more_loses_its_place_with_its_key(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "RECHECK_SECONDS", 0.01)
    _, reading = await read_slowly(busy, "ben")
    [key] = (await busy.get("/api/users/keys", "root", user_id="ben")).json()
    await busy.post("/api/users/keys/revoke", "root", {"user_id": "ben", "id": key["id"]})
    async with asyncio.timeout(MANY_SECONDS):
        assert (await reading).sent[-1].get("more_body") is True
    assert taken(busy) == {}


@pytest.mark.parametrize("selection", [{"filter": {}}, {"ids": [f"m{n}" for n in range(6)]}])
async def test_a_change_of_many_models_ends_when_its_caller_is_deactivated(
    busy: Directory, monkeypatch: pytest.MonkeyPatch, selection: dict[str, Any]
) -> None:
    monkeypatch.setattr(bulk_change, "BATCH", 2)
    change = after(2, bulk_change._change_batch, lambda: deactivate(busy, "ann"))
    monkeypatch.setattr(bulk_change, "_change_batch", change)
    answer = await busy.post(STATE, "ann", {**selection, "is_active": False})
    assert answer.status_code == 200
    assert answer.json()["counts"]["changed"] == 4
    assert "rights have changed" in answer.text
    assert sorted(await busy.ids("root", is_active="false")) == ["m0", "m1", "m2", "m3"]


async def test_a_transfer_ends_when_its_admin_is_demoted(busy: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_change, "BATCH", 2)

    async def demote() -> None:
        assert (await busy.post("/api/users/update", "root", {"id": "other", "role": "user"})).status_code == 200

    monkeypatch.setattr(bulk_change, "_change_batch", after(1, bulk_change._change_batch, demote))
    ids = [f"m{n}" for n in range(6)]
    answer = await busy.post("/api/users/transfer", "other", {"from_user_id": "ann", "to_user_id": "cat", "ids": ids})
    assert answer.json()["transferred"] == 2
    assert len(answer.json()["failed"]) == 4
    assert await busy.ids("cat", view_option="created", order_by="name", direction="asc") == ["m0", "m1"]


def bundle(count: int) -> bytes:
    """Return new models as lines of a bundle."""
    return b"".join(b'{"kind": "model", "id": "n%d", "name": "N"}\n' % number for number in range(count))


@pytest.mark.parametrize(("atomic", "status", "written"), [("false", 409, 2), ("true", 401, 0)])
async def test_an_import_ends_when_its_caller_is_deactivated(
    busy: Directory, monkeypatch: pytest.MonkeyPatch, atomic: str, status: int, written: int
) -> None:
    monkeypatch.setattr(model_writer, "SHARED_BATCH_RECORDS", 2)
    storing = after(1, store.store_planned, lambda: deactivate(busy, "ann"))
    monkeypatch.setattr(model_writer, "store_planned", storing)
    headers = {"Authorization": f"Bearer {await busy.key('ann')}"}
    path = f"{IMPORT}?format=modeldeck&atomic={atomic}"
    answer = await busy.client.post(path, content=bundle(6), headers=headers)
    assert answer.status_code == status
    assert ("2 records had been written" in answer.text) == (written == 2)
    assert (await busy.page("root", query="N"))["total"] == 6 + written


async def test_a_set_of_models_is_not_stored_when_its_caller_is_deactivated_before_the_end(
    busy: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = after(1, store.write_planned, lambda: deactivate(busy, "ann"))
    monkeypatch.setattr("service.importing.model_set.write_planned", write)
    answer = await busy.post(IMPORT, "ann", {"models": [{"id": "n", "name": "N"}]})
    assert answer.status_code == 401
    assert (await busy.get("/api/models/model", "root", id="n")).status_code == 404


# --- Memory


async def test_an_export_of_large_models_is_sent_in_small_parts(busy: Directory, tmp_path: Path) -> None:
    large = [model(f"large{n}", "ben", params={"system": "x" * 400_000}) for n in range(7)]
    await busy.load({"models": large}, tmp_path)
    for query in ("", "format=jsonl"):
        headers = {"Authorization": f"Bearer {await busy.key('ben')}"}
        whole = await Exchange(EXPORT, headers=headers, query=query).with_app(busy.app)
        sizes = [len(message.get("body", b"")) for message in whole.sent[1:]]
        assert sum(sizes) > 7 * 400_000
        assert max(sizes) < 2_000_000
        assert all(f"large{n}".encode() in whole.body for n in range(7))
