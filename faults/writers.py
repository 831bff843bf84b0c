"""Writes over HTTP, so many a second, each sent once, whatever becomes of the others, and kept in a ledger."""

import asyncio
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from faults.ledger import Attempt, recovery

RATE = 100.0
# Far more than any answer may take: later ones count as none.
LAST_ANSWER_SECONDS = 60.0
PROMPT_SECONDS = 1.0
STEADY_SECONDS = 2.0
POLL_SECONDS = 0.2
FELT_SECONDS = 0.5
MAX_VERSION = 5


class Writers:
    """New models and, where one is known and nobody is changing it, updates that insist on its version."""

    def __init__(self, url: str, key: str, prefix: str, *, filler: str = "", rate: float = RATE) -> None:
        """Write models whose ids begin with `prefix`, `rate` of them a second; each new one carries the `filler`."""
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self._address = (address.hostname, address.port)
        self._key = key
        self._filler = filler
        self._rate = rate
        self.prefix = prefix
        self._idle: deque[tuple[str, int]] = deque()
        self._numbers = itertools.count()
        self._over = threading.Event()
        self.attempts: list[Attempt] = []
        # By how many seconds, at most, the writers themselves came too late: what they measure is no better than that.
        self.lag = 0.0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write while a block runs; every answer has come, or will not come any more, when this is over."""
        thread = threading.Thread(target=lambda: asyncio.run(self._write()), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(LAST_ANSWER_SECONDS + 10)
        assert not thread.is_alive(), "the writers came to no end"

    async def _write(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due = began + number / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self.lag = max(self.lag, time.monotonic() - due)
                if self._over.is_set():
                    return
                group.create_task(self._one(self._next(update=number % 5 > 2)))

    def _next(self, *, update: bool) -> Attempt:
        number = next(self._numbers)
        if update and self._idle:
            model_id, version = self._idle.popleft()
            attempt = Attempt(model_id, f"{model_id} {number}", version, time.monotonic())
        else:
            model_id = f"{self.prefix}-{number:06}"
            attempt = Attempt(model_id, f"{model_id} {number}", None, time.monotonic())
        self.attempts.append(attempt)
        return attempt

    async def _one(self, attempt: Attempt) -> None:
        new = attempt.expected is None
        path = "/api/models/create" if new else "/api/models/model/update"
        headers = {} if new else {"If-Match": f'"{attempt.expected}"'}
        body: dict[str, Any] = {"id": attempt.model_id, "name": attempt.name}
        if new and self._filler:
            body["params"] = {"system": self._filler}
        try:
            async with asyncio.timeout(LAST_ANSWER_SECONDS):
                status, answer = await self._ask(path, body, headers)
        except (OSError, TimeoutError, ValueError, IndexError):
            # No answer, or none that can be read: its outcome is unknown.
            attempt.seconds = time.monotonic() - attempt.sent
            return
        attempt.seconds = time.monotonic() - attempt.sent
        attempt.version = answer.get("version")
        attempt.status = status
        # One whose last outcome is not known is left alone from then on.
        if attempt.acknowledged and attempt.version is not None and attempt.version < MAX_VERSION:
            self._idle.append((attempt.model_id, attempt.version))

    async def _ask(self, path: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        content = json.dumps(body).encode()
        said = {
            "Host": "service",
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Connection": "close",
            **headers,
        }
        head = "\r\n".join([f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items())])
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(f"{head}\r\n\r\n".encode() + content)
            answer = await reader.read()
        finally:
            writer.close()
        top, _, told = answer.partition(b"\r\n\r\n")
        return int(top.split()[1]), json.loads(told)

    def recovery(self, struck: float, end: float | None = None) -> float | None:
        """Return after how many seconds writes were acknowledged again; None when they are not, or not until `end`."""
        until = end or time.monotonic() - PROMPT_SECONDS
        return recovery(self.attempts, struck, until, prompt=PROMPT_SECONDS, window=STEADY_SECONDS)

    def first(self, struck: float) -> float | None:
        """Return after how many seconds a write that was sent after a blow was acknowledged; None if none was yet."""
        # A blow takes a moment until it is felt.
        sent = struck + FELT_SECONDS
        ends = [at.sent + (at.seconds or 0.0) for at in list(self.attempts) if at.sent >= sent and at.acknowledged]
        return min(ends) - struck if ends else None

    def recovered(self, struck: float, seconds: float) -> float | None:
        """Wait for that, for some seconds at most."""
        deadline = struck + seconds
        while (found := self.recovery(struck)) is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return found
