"""Graceful shutdown: the service reports that it is not ready, finishes the requests in flight, and exits."""

import http.client
import signal
import time
from collections.abc import Iterator
from itertools import count, dropwhile
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.commands import COMMAND_SECONDS, CommandLine, Served, mongods, until

DRAIN_SECONDS = 6.0
BODY = b'{"id": "m", "name": "M"}'


class Slow:
    """A request of which only the first part has been sent."""

    def __init__(self, served: Served, key: str) -> None:
        address = urlsplit(served.url)
        assert address.hostname is not None
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=COMMAND_SECONDS)
        self._connection.putrequest("POST", "/api/models/create")
        self._connection.putheader("Authorization", f"Bearer {key}")
        self._connection.putheader("Content-Length", str(len(BODY)))
        self._connection.endheaders(BODY[:5])

    def finish(self) -> int:
        """Send the rest; return the status of the answer."""
        self._connection.send(BODY[5:])
        with self._connection.getresponse() as answer:
            answer.read()
        self._connection.close()
        return answer.status


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    assert mongods(tmp_path / "data") == []


def ready(served: Served) -> int | None:
    """Return the status of the readiness probe over a new connection; None if nothing listens any more."""
    try:
        return served.get("/health/ready").status_code
    except (httpx.NetworkError, httpx.ProtocolError):
        return None


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.faults)])
def test_it_is_not_ready_any_more_finishes_what_it_has_begun_and_ends(data_dir: Path, workers: int) -> None:
    shell = CommandLine(data_dir.parent, data_dir=str(data_dir), drain_seconds=str(DRAIN_SECONDS), request_timeout="60")
    with shell.serving("--workers", str(workers)) as served:
        until(lambda: ready(served) == 200, "it is ready")
        user = shell.ok("user", "add", "--email", "a@x.org", "--name", "N")
        key = shell.ok("key", "create", "--user", user)
        begun = Slow(served, key)
        served.process.send_signal(signal.SIGTERM)
        signalled = time.monotonic()
        # It reports that it is not ready before it stops listening.
        assert next(dropwhile(lambda status: status == 200, (ready(served) for _ in count()))) == 503
        # Clients that have not noticed yet are still served.
        assert served.get("/api/models/list", key).status_code == 200
        until(lambda: ready(served) is None, "it listens no more")
        assert time.monotonic() - signalled > DRAIN_SECONDS - 0.5
        assert begun.finish() == 200
        assert served.process.wait(COMMAND_SECONDS) == 0
        assert "Traceback" not in served.output.read_text(), served.output.read_text()


@pytest.mark.faults
def test_an_interrupt_does_not_wait_for_anybody_to_notice(data_dir: Path) -> None:
    shell = CommandLine(data_dir.parent, data_dir=str(data_dir), drain_seconds="20")
    with shell.serving() as served:
        started = time.monotonic()
        assert served.stop(signal.SIGINT) == 0
        assert time.monotonic() - started < 20
