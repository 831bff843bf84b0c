"""Slowly sent requests: the caller's rights are those at the time when the request is complete."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from documents.user import Role
from service.auth.authentication import Authenticator
from service.doctor import examine
from service.http import json_body
from service.models.operations import create
from tests.support.directory import LIST, Directory


@pytest.fixture(autouse=True)
def _nothing_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_body, "FRESH_SECONDS", 0.0)


async def _slowly(directory: Directory, path: str, user: str, body: Any, meanwhile: Any) -> httpx.Response:
    """Send half of a request, let something happen, and send the rest."""
    arrived, go_on = asyncio.Event(), asyncio.Event()
    content = json.dumps(body).encode()

    async def halves() -> AsyncIterator[bytes]:
        yield content[:5]
        arrived.set()
        await go_on.wait()
        yield content[5:]

    headers = {"Authorization": f"Bearer {await directory.key(user)}"}
    sending = asyncio.create_task(directory.client.post(path, content=halves(), headers=headers))
    await arrived.wait()
    await meanwhile
    go_on.set()
    return await sending


async def test_rights_that_are_lost_while_a_request_is_sent_do_not_count(directory: Directory) -> None:
    await directory.group("team")
    for user in ("root", "mal"):
        await directory.user(user, role=Role.ADMIN)
    await directory.user("eve", groups=["team"])
    demotion = directory.post("/api/users/update", "root", {"id": "mal", "role": "user"})
    promoted = await _slowly(directory, "/api/users/update", "mal", {"id": "mal", "role": "admin"}, demotion)
    assert promoted.status_code == 409
    assert (await directory.get("/api/users", "mal")).status_code == 403

    leaving = directory.post("/api/groups/members/remove", "root", {"id": "team", "user_ids": ["eve"]})
    created = await _slowly(directory, "/api/models/create", "eve", {"id": "m", "name": "M"}, leaving)
    assert created.status_code == 409
    deletion = directory.post("/api/users/delete", "root", {"id": "eve"})
    created = await _slowly(directory, "/api/keys/create", "eve", {"name": "k"}, deletion)
    assert created.status_code == 401
    assert (await directory.page("root"))["total"] == 0


async def test_a_slow_request_of_somebody_with_the_same_rights_is_done(directory: Directory) -> None:
    await directory.user("ann")
    answer = await _slowly(directory, "/api/models/create", "ann", {"id": "m", "name": "M"}, directory.get(LIST, "ann"))
    assert answer.status_code == 200


async def test_a_model_has_the_name_that_its_owner_was_given_while_it_was_sent(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann", name="Before")
    database = directory.database
    caller = await Authenticator(database).resolve(f"Bearer {await directory.key('ann')}")
    renamed = await directory.post("/api/users/update", "root", {"id": "ann", "name": "Afterwards"})
    assert renamed.status_code == 200
    content: dict[str, Any] = {"name": "M", "base_model_id": None, "is_active": True, "params": {}, "meta": {}}
    await create(database, caller, "m", {**content, "access_grants": []})
    assert await directory.ids("ann", query="afterwards") == ["m"]
    assert await directory.ids("ann", query="before") == []
    assert (await examine(database, repair=False)).problems == 0


async def test_a_body_that_does_not_arrive_is_given_up(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    await directory.user("ann")
    monkeypatch.setattr(json_body, "ARRIVAL_SECONDS", 0.05)
    never = asyncio.Event()

    async def nothing() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    headers = {"Authorization": f"Bearer {await directory.key('ann')}"}
    answer = await directory.client.post("/api/models/create", content=nothing(), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (408, "application/problem+json")


async def test_many_who_want_the_same_wait_their_turn(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.people.api_keys.MAX_API_KEYS", 30)
    await directory.user("root", role=Role.ADMIN)
    await directory.user("eve")
    keys = [directory.post("/api/keys/create", "eve", {"name": "k"}) for _ in range(40)]
    groups = [directory.post("/api/groups/create", "root", {"name": "G", "id": f"g{n}"}) for n in range(10)]
    answers = await asyncio.gather(*keys, *groups)
    statuses = [answer.status_code for answer in answers]
    # Eve already had one key.
    assert (statuses[:40].count(200), statuses[:40].count(409)) == (29, 11)
    assert set(statuses[40:]) == {200}
