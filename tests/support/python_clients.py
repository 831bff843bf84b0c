"""The synchronous and the asynchronous Python client, used alike."""

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any

from modeldeck_client import AsyncModeldeck, Event, Modeldeck

SECONDS = 30.0
_ENDED = object()


class Client:
    """A client of one kind, whose methods are called by their names."""

    def __init__(self, used: Modeldeck | AsyncModeldeck) -> None:
        self.used = used

    async def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a method; the synchronous one in a thread of its own."""
        method = getattr(self.used, name)
        async with asyncio.timeout(SECONDS):
            if isinstance(self.used, AsyncModeldeck):
                return await method(*arguments, **options)
            return await asyncio.to_thread(method, *arguments, **options)

    async def models(self, **filters: Any) -> AsyncIterator[Any]:
        """Yield what `models` yields."""
        async for one in _each(self.used.models(**filters)):
            yield one

    @asynccontextmanager
    async def following(self, since: str | None = None) -> AsyncIterator[AsyncIterator[Event]]:
        """Follow for the duration of a block."""
        async with aclosing(_each(self.used.follow(since))) as events:
            yield events


async def _each(iterator: Any) -> Any:
    try:
        if isinstance(iterator, Generator):
            while (one := await asyncio.wait_for(asyncio.to_thread(next, iterator, _ENDED), SECONDS)) is not _ENDED:
                yield one
        else:
            while (one := await asyncio.wait_for(anext(iterator, _ENDED), SECONDS)) is not _ENDED:
                yield one
    finally:
        if isinstance(iterator, Generator):
            iterator.close()
        else:
            await iterator.aclose()


# Connects a client with a key, and with options of the client.
Connect = Callable[..., AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def client(kind: type[Modeldeck | AsyncModeldeck], url: str, key: str, **options: Any) -> AsyncIterator[Client]:
    """Yield a client of the service at an address."""
    if issubclass(kind, AsyncModeldeck):
        async with kind(url, key, **options) as asynchronous:
            yield Client(asynchronous)
    else:
        with kind(url, key, **options) as synchronous:
            yield Client(synchronous)
