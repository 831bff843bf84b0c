"""A client that follows changes, and what it has been sent so far."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.types import Message

from tests.support.asgi_exchange import Exchange
from tests.support.directory import Directory

CHANGES = "/api/models/changes"
SECONDS = 30.0


class Event(NamedTuple):
    """One server-sent event."""

    name: str
    token: str
    data: Any

    @property
    def brief(self) -> tuple[str, str | None]:
        """What has happened, and to which model."""
        return self.name, self.data.get("id")


def parsed(body: bytes) -> tuple[list[Event], list[str]]:
    """Return the events in a body, and all ids, also those without an event."""
    events, tokens = [], []
    for message in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in message.split("\n") if ": " in line)
        tokens.append(fields["id"])
        if "event" in fields:
            events.append(Event(fields["event"], fields["id"], json.loads(fields["data"])))
    return events, tokens


@dataclass
class Following(Exchange):
    """A request that follows changes, in this process."""

    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    reads: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> None:
        await super().send(message)
        self.arrived.set()
        await self.reads.wait()

    @property
    def events(self) -> list[Event]:
        """The events so far."""
        return parsed(self.body)[0]

    @property
    def briefs(self) -> list[tuple[str, str | None]]:
        """What has happened so far."""
        return [event.brief for event in self.events]

    @property
    def token(self) -> str:
        """The last id."""
        return parsed(self.body)[1][-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, which is looked at whenever something has arrived."""
        try:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    self.arrived.clear()
                    await self.arrived.wait()
        except TimeoutError:
            raise AssertionError(f"nothing more arrives after {self.body[-1000:]!r}") from None

    async def seen(self, count: int) -> list[tuple[str, str | None]]:
        """Wait until so many events have arrived; return what has happened."""
        await self.until(lambda: len(self.events) >= count)
        return self.briefs


async def begin(
    directory: Directory,
    user: str,
    *,
    key: str | None = None,
    path: str = CHANGES,
    last: str | None = None,
    **query: Any,
) -> tuple[Following, asyncio.Task[Exchange]]:
    """Begin to follow as a user; return once no later change is missed, or it was refused."""
    headers = {"Authorization": f"Bearer {key or await directory.key(user)}"}
    if last is not None:
        headers["Last-Event-ID"] = last
    following = Following(path, headers=headers, query=urlencode(query))
    following.reads.set()
    running = asyncio.create_task(following.with_app(directory.app))
    if query.get("follow") == "false":
        await running
    await following.until(lambda: len(following.sent) > 1)
    return following, running


@asynccontextmanager
async def follow(directory: Directory, user: str, **options: Any) -> AsyncIterator[Following]:
    """Follow as a user for the duration of a block."""
    following, running = await begin(directory, user, **options)
    try:
        yield following
    finally:
        following.disconnect()
        following.reads.set()
        await asyncio.wait_for(running, SECONDS)
