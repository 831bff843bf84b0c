"""Single writes, one after the other, each sent once and recorded in a ledger."""

import time

import httpx

from faults.environment.replica_set import ReplicaSet
from faults.environment.service import Service
from faults.workload.ledger import Attempt, compare, late_answers
from faults.workload.stored_state import stored_writes


class SequentialWriter:
    """A client that writes models whose ids begin with a prefix, and records the answers."""

    def __init__(self, service: Service, prefix: str) -> None:
        self._service = service
        self._prefix = prefix
        self.attempts: list[Attempt] = []
        # The error message of the last answer.
        self.detail = ""

    def create(self) -> Attempt:
        """Create another model."""
        model_id = f"{self._prefix}-{len(self.attempts):06}"
        return self._send(Attempt(model_id, f"{model_id} new", None, time.monotonic()))

    def update(self, known: Attempt) -> Attempt:
        """Update the model that an acknowledged attempt wrote, with the `If-Match` of its version."""
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

    def problems(self, replica_set: ReplicaSet) -> list[str]:
        """Return the contradictions between answers and stored models, and the answers that were late."""
        comparison = compare(self.attempts, stored_writes(replica_set, self._service.database, self._prefix))
        late = [f"{attempt} was answered after {attempt.seconds:.1f} s" for attempt in late_answers(self.attempts)]
        return comparison.problems + late


def answer_text(attempt: Attempt) -> str:
    """Return the status and the time of an answer as the report shows them."""
    return f"{attempt.status or 'no answer'} after {attempt.seconds or 0.0:.2f} s"
