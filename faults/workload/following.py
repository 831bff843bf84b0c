"""Clients that follow changes: one that comes back whenever its stream ends, and very many at once."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

import httpx

CHANGES = "/api/models/changes"
# Longer than the service is silent.
SILENT_SECONDS = 40.0
PAUSE_SECONDS = 0.2
AT_ONCE = 20


async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, str, str]]:
    """Yield the name, the id and the data of each event, also of those without a name."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            yield fields.get("event", ""), fields.get("id", ""), fields.get("data", "")
            fields = {}


class PersistentFollower:
    """Follows all changes, and goes on from its last token when the stream has ended."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._stop = threading.Event()
        self.began = threading.Event()
        # How often each version of each model was shown.
        self.shown: Counter[tuple[str, int]] = Counter()
        self.others: Counter[str] = Counter()
        self.connections = 0

    @contextmanager
    def following(self) -> Iterator[None]:
        """Follow while the block runs, which begins when no later change is missed."""
        thread = threading.Thread(target=lambda: asyncio.run(self._follow()), daemon=True)
        thread.start()
        try:
            assert self.began.wait(SILENT_SECONDS), "the follower did not begin"
            yield
        finally:
            self._stop.set()
            thread.join(SILENT_SECONDS)

    async def _follow(self) -> None:
        last = ""
        async with httpx.AsyncClient(base_url=self._url, timeout=SILENT_SECONDS, trust_env=False) as client:
            while not self._stop.is_set():
                with suppress(httpx.TransportError, TimeoutError):
                    headers = {**self._headers, **({"Last-Event-ID": last} if last else {})}
                    async with client.stream("GET", CHANGES, headers=headers) as answer:
                        self.connections += answer.status_code == 200
                        if answer.status_code != 200:
                            self.others[str(answer.status_code)] += 1
                            await asyncio.sleep(PAUSE_SECONDS)
                            continue
                        async for name, token, data in events(answer):
                            last = token
                            self.began.set()
                            self._note(name, data)
                            if self._stop.is_set():
                                return

    def _note(self, name: str, data: str) -> None:
        if name in ("created", "updated"):
            model = json.loads(data)
            self.shown[model["id"], model["version"]] += 1
        elif name:
            self.others[name] += 1


class Crowd:
    """Very many followers of one service."""

    def __init__(self, client: httpx.AsyncClient, url: str, key: str, count: int) -> None:
        self._client = client
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._count = count
        self._shown: Counter[int] = Counter()
        self._moved = asyncio.Event()

    async def gather(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Have all of them follow, a few after each other, and wait until they do."""
        found: list[asyncio.Task[None]] = []
        for number in range(self._count):
            found.append(tasks.create_task(self._follow(number)))
            if len(found) % AT_ONCE == 0 or len(found) == self._count:
                await self._until(len(found), 0)
        return found

    async def _follow(self, number: int) -> None:
        async with self._client.stream("GET", self._url + CHANGES, headers=self._headers) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for name, _, _ in events(answer):
                self._shown[number] += bool(name)
                self._moved.set()

    async def shown(self, count: int) -> None:
        """Wait until each has been shown so many events."""
        await self._until(self._count, count)

    async def _until(self, followers: int, count: int) -> None:
        while len(self._shown) < followers or min(self._shown.values()) < count:
            self._moved.clear()
            await self._moved.wait()
