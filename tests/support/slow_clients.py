"""Clients that read or send slowly, and the places that they take."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.types import Message

from service.http.places import LongRequest
from tests.support.asgi_exchange import Exchange
from tests.support.directory import Directory

EXPORT = "/api/models/export"
MANY_SECONDS = 30.0


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


async def leave(directory: Directory, user: str) -> None:
    """Have a user leave the group through which they read what ann shares."""
    left = await directory.post("/api/groups/members/remove", "root", {"id": "team", "user_ids": [user]})
    assert left.json() == {"changed": 1}


async def deactivate(directory: Directory, user: str) -> None:
    """Deactivate a user."""
    assert (await directory.post("/api/users/update", "root", {"id": user, "is_active": False})).status_code == 200
