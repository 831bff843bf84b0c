"""Single writes, one after the other, each sent once and kept in a ledger."""

import time
from collections.abc import Sequence

import httpx

from faults.failover import LATE_SECONDS
from faults.ledger import Attempt, judge
from faults.replica_set import ReplicaSet
from faults.services import Service, stored


class Single:
    """One who writes models whose ids begin with a prefix, and remembers what was answered."""

    def __init__(self, service: Service, prefix: str) -> None:
        self._service = service
        self._prefix = prefix
        self.attempts: list[Attempt] = []
        self.detail = ""

    def create(self) -> Attempt:
        """Create another model."""
        model_id = f"{self._prefix}-{len(self.attempts):06}"
        return self._send(Attempt(model_id, f"{model_id} new", None, time.monotonic()))

    def update(self, known: Attempt) -> Attempt:
        """Update a model as an attempt has left it."""
        name = f"{known.model_id} {len(self.attempts):06}"
        return self._send(Attempt(known.model_id, name, known.version, time.monotonic()))

    def _send(self, attempt: Attempt) -> Attempt:
        self.attempts.append(attempt)
        path = "/api/models/create" if attempt.expected is None else "/api/models/model/update"
        headers = {} if attempt.expected is None else {"If-Match": f'"{attempt.expected}"'}
        with self._service.client() as client:
            try:
                answer = client.post(path, json={"id": attempt.model_id, "name": attempt.name}, headers=headers)
            except httpx.HTTPError as error:
                attempt.seconds = time.monotonic() - attempt.sent
                self.detail = str(error)
                return attempt
        attempt.seconds = time.monotonic() - attempt.sent
        attempt.status = answer.status_code
        attempt.version = answer.json().get("version")
        self.detail = str(answer.json().get("detail", ""))
        return attempt

    def broken(self, replica_set: ReplicaSet) -> list[str]:
        """Return what is stored otherwise than it was answered, and which answers were late."""
        verdict = judge(self.attempts, stored(replica_set, self._service.database, self._prefix))
        return verdict.broken + late(self.attempts)


def late(attempts: Sequence[Attempt]) -> list[str]:
    """Return which answers came after the deadline."""
    return [
        f"{attempt} was answered after {attempt.seconds:.1f} s"
        for attempt in attempts
        if attempt.seconds is not None and attempt.seconds > LATE_SECONDS
    ]


def answered(attempt: Attempt) -> str:
    """Return how a write was answered, for the table."""
    return f"{attempt.status or 'no answer'} after {attempt.seconds or 0.0:.2f} s"
