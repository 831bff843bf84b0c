"""Concurrent writes at a steady rate, each sent once and recorded in a ledger."""

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

from faults.workload.ledger import Attempt, Comparison, count_statuses, recovery_seconds, slowest_answer

WRITES_A_SECOND = 100.0
# An answer that takes longer counts as none; the promised time is far shorter.
GIVE_UP_SECONDS = 60.0
PROMPT_SECONDS = 1.0
STEADY_SECONDS = 2.0
POLL_SECONDS = 0.2
# A write that is sent this soon after a fault may still be answered as if there was none.
FAULT_DELAY_SECONDS = 0.5
MAX_VERSION = 5


class ConcurrentWriter:
    """Creates models and updates them with `If-Match`, without waiting for earlier answers.

    A model is updated only while no other write of it is in flight and its version is known.
    """

    def __init__(self, url: str, key: str, prefix: str, *, filler: str = "", rate: float = WRITES_A_SECOND) -> None:
        """Prepare `rate` writes a second of models whose ids begin with `prefix`; new ones contain the `filler`."""
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self._address = (address.hostname, address.port)
        self._key = key
        self._filler = filler
        self._rate = rate
        self.prefix = prefix
        self._updatable: deque[tuple[str, int]] = deque()
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self.attempts: list[Attempt] = []
        # How many seconds, at most, a write was sent after it was due: the measured times are no more precise.
        self.lag = 0.0

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write while the block runs, then wait until every write is answered or given up."""
        thread = threading.Thread(target=lambda: asyncio.run(self._write()), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(GIVE_UP_SECONDS + 10)
        assert not thread.is_alive(), "the writer did not end"

    async def _write(self) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due = began + number / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self.lag = max(self.lag, time.monotonic() - due)
                if self._stop.is_set():
                    return
                group.create_task(self._send(self._next_attempt(update=number % 5 > 2)))

    def _next_attempt(self, *, update: bool) -> Attempt:
        number = next(self._numbers)
        if update and self._updatable:
            model_id, version = self._updatable.popleft()
            attempt = Attempt(model_id, f"{model_id} {number}", version, time.monotonic())
        else:
            model_id = f"{self.prefix}-{number:06}"
            attempt = Attempt(model_id, f"{model_id} {number}", None, time.monotonic())
        self.attempts.append(attempt)
        return attempt

    async def _send(self, attempt: Attempt) -> None:
        new = attempt.expected is None
        path = "/api/models/create" if new else "/api/models/model/update"
        headers = {} if new else {"If-Match": f'"{attempt.expected}"'}
        body: dict[str, Any] = {"id": attempt.model_id, "name": attempt.name}
        if new and self._filler:
            body["params"] = {"system": self._filler}
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                status, answer = await self._post(path, body, headers)
        except (OSError, TimeoutError, ValueError, IndexError):
            # Without a readable answer, it is unknown whether the write was applied.
            attempt.seconds = time.monotonic() - attempt.sent
            return
        attempt.seconds = time.monotonic() - attempt.sent
        attempt.version = answer.get("version")
        attempt.status = status
        # A model is not updated again if it is unknown what its last write did.
        if attempt.acknowledged and attempt.version is not None and attempt.version < MAX_VERSION:
            self._updatable.append((attempt.model_id, attempt.version))

    async def _post(self, path: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        content = json.dumps(body).encode()
        fields = {
            "Host": "service",
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Connection": "close",
            **headers,
        }
        head = "\r\n".join([f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())])
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(f"{head}\r\n\r\n".encode() + content)
            answer = await reader.read()
        finally:
            writer.close()
        answer_head, _, answer_body = answer.partition(b"\r\n\r\n")
        return int(answer_head.split()[1]), json.loads(answer_body)

    def recovery(self, fault: float, end: float | None = None) -> float | None:
        """Return how many seconds after a fault writes were acknowledged again; None if not yet, or not before `end`.

        Both are monotonic times; see `recovery_seconds`.
        """
        until = end or time.monotonic() - PROMPT_SECONDS
        return recovery_seconds(self.attempts, fault, until, prompt=PROMPT_SECONDS, window=STEADY_SECONDS)

    def wait_for_recovery(self, fault: float, seconds: float) -> float | None:
        """Wait for the recovery, for `seconds` at most; return what `recovery` returns."""
        deadline = fault + seconds
        while (found := self.recovery(fault)) is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return found

    def first_acknowledged(self, fault: float) -> float | None:
        """Return how many seconds after a fault the first write sent during it was acknowledged; None if none was."""
        sent = fault + FAULT_DELAY_SECONDS
        ends = [at.sent + (at.seconds or 0.0) for at in list(self.attempts) if at.sent >= sent and at.acknowledged]
        return min(ends) - fault if ends else None

    def summary(self, comparison: Comparison) -> str:
        """Return the measurements of all writes as one line of the report."""
        refused = [
            f"{count:,} × {status or 'no answer'}"
            for status, count in sorted(count_statuses(self.attempts).items(), key=lambda item: str(item[0]))
            if status is None or status >= 300
        ]
        lost_models = {sentence.split()[0] for sentence in comparison.lost}
        return (
            f"{len(lost_models):,} of {comparison.acknowledged:,} acknowledged lost, "
            f"{len(comparison.duplicated):,} applied twice; refused: {', '.join(refused) or 'none'} "
            f"({comparison.unacknowledged_applied:,} of them applied all the same); "
            f"slowest answer {slowest_answer(self.attempts):.1f} s, measured to {self.lag:.1f} s"
        )
