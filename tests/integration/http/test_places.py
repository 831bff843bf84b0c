"""Requests that take long: each kind has places of its own, nobody has all of them, and revocation ends them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from service.http import dependencies
from service.importing.writers import models as model_writer
from service.models import bulk_change, store
from tests.support.asgi_exchange import Exchange
from tests.support.directory import LIST, Directory, grant, model
from tests.support.meanwhile import after
from tests.support.slow_clients import (
    EXPORT,
    MANY_SECONDS,
    SlowReader,
    deactivate,
    halves,
    leave,
    read_slowly,
    send_slowly,
    taken,
    until,
)

CREATE, IMPORT, SYNC = (f"/api/models/{route}" for route in ("create", "import", "sync"))
STATE = "/api/models/bulk/state"
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


async def test_a_page_of_large_models_is_sent_in_small_parts(busy: Directory, tmp_path: Path) -> None:
    large = [model(f"large{n}", "ben", params={"system": "x" * 400_000}) for n in range(7)]
    small = [model(f"small{n}", "ben", params={"system": f"{n}"}) for n in range(7)]
    await busy.load({"models": [one for both in zip(large, small, strict=True) for one in both]}, tmp_path)
    headers = {"Authorization": f"Bearer {await busy.key('ben')}"}
    query = "order_by=name&direction=desc&page_size=100"
    whole = await Exchange(LIST, headers=headers, query=query).with_app(busy.app)
    assert max(len(message.get("body", b"")) for message in whole.sent[1:]) < 1_000_000
    assert "etag" not in whole.response_headers
    page = json.loads(whole.body)
    assert page["total"] == len(page["items"]) == 20
    assert [item["name"] for item in page["items"]] == sorted((item["name"] for item in page["items"]), reverse=True)
    assert {item["id"]: item["params"] for item in page["items"] if item["user_id"] == "ben"} == {
        one["id"]: one["params"] for one in [*large, *small]
    }
    # Of two large ones, which fit, the page is as any other.
    few = await busy.get(LIST, "ben", query="large", page_size=2)
    assert few.headers["etag"]
    assert [len(item["params"]["system"]) for item in few.json()["items"]] == [400_000] * 2


async def test_slow_readers_of_large_pages_hold_no_place_of_others(busy: Directory, tmp_path: Path) -> None:
    large = [model(f"l{n}", "ann", params={"system": "x" * 400_000}) for n in range(5)]
    await busy.load({"models": large}, tmp_path)
    readers = [await read_slowly(busy, "ann", LIST) for _ in range(2)]
    assert taken(busy) == {"PAGE": 2}
    assert (await busy.get(LIST, "ann")).status_code == 503
    assert (await busy.page("ann", query="m0"))["total"] == 1
    assert (await busy.get("/api/models/base", "ann")).status_code == 503
    assert (await busy.get("/api/models/base", "ben")).status_code == 200
    assert (await busy.get(EXPORT, "ann", id="m0")).status_code == 200
    for reader, reading in readers:
        await deactivate(busy, "ann")
        reader.go_on.set()
        assert (await reading).sent[-1].get("more_body") is True
    assert taken(busy) == {}
