"""A request with an idempotency key whose service is killed is completed, once, when it is sent again.

Only with `python -m faults D6`: the key of a killed process is blocked until the time of its request is over.
"""

import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.support.commands import CommandLine, Served, until
from tests.support.import_samples import Raw

MODELS = [{"id": f"m/{number:04}", "name": f"Model {number}"} for number in range(1000)]
IDS = [model["id"] for model in MODELS]
# Address, body, and the version of each model afterwards.
REQUESTS: dict[str, tuple[str, Any, int]] = {
    "a set": ("/api/models/import", {"models": MODELS}, 1),
    "a bulk change": ("/api/models/bulk/state", {"ids": IDS, "is_active": False}, 2),
}


def send(served: Served, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
    return httpx.post(f"{served.url}{path}", json=body, headers=headers, timeout=60)


@pytest.mark.faults
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_whose_service_is_killed_is_completed_once(shell: CommandLine, store: Raw, kind: str) -> None:
    path, body, version = REQUESTS[kind]
    # The time of a request for many models is then over after 11 seconds.
    shell.environment["MODELDECK_REQUEST_TIMEOUT"] = "1"
    shell.ok("user", "add", "--email", "ann@example.com", "--name", "Ann")
    authorized = {"Authorization": f"Bearer {shell.ok('key', 'create', '--user', 'ann@example.com')}"}
    keyed = {**authorized, "Idempotency-Key": "killed"}

    def send_without_answer(served: Served) -> None:
        with suppress(httpx.HTTPError):
            send(served, path, body, keyed)

    with shell.serving() as served:
        if kind == "a bulk change":
            assert send(served, "/api/models/import", {"models": MODELS}, authorized).status_code == 200
        sending = threading.Thread(target=send_without_answer, args=[served])
        sending.start()
        until(lambda: store.idempotent_requests.count_documents({}), "the request has begun")
        served.stop(signal.SIGKILL)
        sending.join()
    # Otherwise the server waits a minute for what the killed process has begun.
    store.client.admin.command("killAllSessions", [])
    assert store.idempotent_requests.count_documents({"status": None}) == 1

    with shell.serving() as served:
        answers = [send(served, path, body, keyed)]

        def is_done() -> bool:
            answers.append(send(served, path, body, keyed))
            return answers[-1].status_code != 409

        until(is_done, "the key is free")
        again = send(served, path, body, keyed)
    assert (answers[0].status_code, answers[-1].status_code) == (409, 200)
    assert (again.content, again.headers["idempotent-replayed"]) == (answers[-1].content, "true")
    assert store.models.count_documents({"version": version}) == len(MODELS)
    assert store.revisions.count_documents({}) == version * len(MODELS)
