"""Clients that take more than they need, and what others notice of them meanwhile."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx

from faults.environment.service import Service
from faults.workload.http_load import Answer, RepeatedGet, percentile

LIST, UPDATE_USER = "/api/models/list", "/api/users/update"
PAUSE_SECONDS, POLL_SECONDS = 0.2, 60.0
RECEIVE_BUFFER_BYTES = 4096
# What a slow reader reads at a time, and how long it waits before it reads more.
SLOW_BYTES, SLOW_SECONDS = 64, 0.5

MAX_LIST_SECONDS, MAX_DEACTIVATION_SECONDS, MAX_GROWTH_MB = 2.0, 5.0, 150.0


@dataclass
class Bystanders:
    """The answers that a user and an admin got who ask for little, and the memory that the service took meanwhile."""

    lists: list[Answer] = field(default_factory=list)
    deactivations: list[Answer] = field(default_factory=list)
    growth_mb: float = 0.0

    @property
    def problems(self) -> list[str]:
        """What must not be."""
        found = [f"a list was answered {answer.status}" for answer in self.lists if answer.status != 200]
        found += [f"a deactivation was answered {one.status}" for one in self.deactivations if one.status != 200]
        for answers, most, what in (
            (self.lists, MAX_LIST_SECONDS, "list"),
            (self.deactivations, MAX_DEACTIVATION_SECONDS, "deactivation"),
        ):
            slowest = percentile(answers, 100)
            found += [f"a {what} took {slowest:.1f} s"] if slowest > most else []
            found += [] if answers else [f"no {what} was asked for"]
        return found + ([f"memory + {self.growth_mb:.0f} MB"] if self.growth_mb > MAX_GROWTH_MB else [])

    def __str__(self) -> str:
        refused = sum(answer.status != 200 for answer in [*self.lists, *self.deactivations])
        return (
            f"{len(self.lists)} lists of another user within {percentile(self.lists, 100):.2f} s, "
            f"{len(self.deactivations)} deactivations by an admin within {percentile(self.deactivations, 100):.2f} s, "
            f"{refused} of them not 200; memory + {self.growth_mb:.0f} MB"
        )


@asynccontextmanager
async def bystanders(service: Service, user_key: str, target: str) -> AsyncIterator[Bystanders]:
    """Let a user list models and an admin deactivate the user `target`, again and again while the block runs."""
    found = Bystanders()
    before = service.resident_mb()
    listing = RepeatedGet(service.url, LIST, user_key)
    headers = {"Authorization": f"Bearer {service.key}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60, trust_env=False) as admin:

        async def lists() -> None:
            while True:
                found.lists.append(await listing.send())
                found.growth_mb = max(found.growth_mb, service.resident_mb() - before)
                await asyncio.sleep(PAUSE_SECONDS)

        async def deactivations() -> None:
            while True:
                began = time.monotonic()
                answer = await admin.post(UPDATE_USER, json={"id": target, "is_active": False})
                found.deactivations.append(Answer(answer.status_code, None, time.monotonic() - began))
                await asyncio.sleep(PAUSE_SECONDS)

        tasks = [asyncio.create_task(lists()), asyncio.create_task(deactivations())]
        try:
            yield found
        finally:
            # What they are waiting for counts too.
            for task, answers in zip(tasks, (found.lists, found.deactivations), strict=True):
                await poll(partial(_has_more_than, answers, len(answers)))
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            listing.close()


async def _has_more_than(answers: Sequence[Answer], count: int) -> bool:
    return len(answers) > count


async def poll(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until a condition holds; fail when it does not within a minute."""
    for _ in range(int(POLL_SECONDS / PAUSE_SECONDS)):
        if await condition():
            return
        await asyncio.sleep(PAUSE_SECONDS)
    raise AssertionError(f"it is not so after {POLL_SECONDS:.0f} s")


class RawRequest:
    """A request on a connection of its own, whose answer is read as slowly as the client likes."""

    def __init__(self, service: Service, head: str, key: str) -> None:
        address = urlsplit(service.url)
        self._address = (address.hostname or "", address.port or 0)
        self._head = f"{head} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        self.received = b""

    @property
    def status(self) -> int:
        """The status of the answer, 0 as long as there is none."""
        parts = self.received.split(b" ", 2)
        return int(parts[1]) if len(parts) > 2 else 0

    async def send(self, more: str = "\r\n") -> None:
        """Connect, with a small buffer for what is received, and send the request."""
        loop = asyncio.get_running_loop()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        await loop.sock_connect(self.socket, self._address)
        await loop.sock_sendall(self.socket, (self._head + more).encode())

    async def receive(self, size: int = 65_536) -> bytes:
        """Return what arrives next; nothing at the end."""
        try:
            part = await asyncio.get_running_loop().sock_recv(self.socket, size)
        except OSError:
            return b""
        self.received += part
        return part

    async def answered(self) -> Answer:
        """Read the answer until the connection is closed or the head is there; return it with the time it took."""
        began = time.monotonic()
        while b"\r\n\r\n" not in self.received and await self.receive():
            pass
        self.socket.close()
        return Answer(self.status, None, time.monotonic() - began)


async def read_slowly(service: Service, path: str, key: str, statuses: list[int]) -> None:
    """Read an answer as slowly as it goes, again and again; note the status of each."""
    while True:
        request = RawRequest(service, f"GET {path}", key)
        await request.send()
        try:
            await request.receive(SLOW_BYTES)
            statuses.append(request.status)
            part = b"x"
            while part:
                await asyncio.sleep(SLOW_SECONDS)
                part = await request.receive(SLOW_BYTES)
        finally:
            request.socket.close()
        await asyncio.sleep(SLOW_SECONDS)


@asynccontextmanager
async def running(works: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run endless work in the background of a block."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
