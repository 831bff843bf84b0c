"""A service that is told to end ends its streams at once, and the next one goes on where they were."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.commands import COMMAND_SECONDS, CommandLine, Served, until
from tests.support.following import CHANGES, parsed


class Reading:
    """A stream of changes that a thread reads."""

    def __init__(self) -> None:
        self.body = b""
        self.status: int | None = None
        self.ended_after: float | None = None

    @property
    def names(self) -> list[str]:
        """The names of the models in its events."""
        return [event.data["name"] for event in parsed(self.body)[0]]

    def read(self, served: Served, headers: dict[str, str]) -> None:
        with httpx.stream("GET", served.url + CHANGES, headers=headers, timeout=COMMAND_SECONDS) as answer:
            self.status = answer.status_code
            for part in answer.iter_raw():
                self.body += part
        self.ended_after = time.monotonic()


@contextmanager
def reading(served: Served, key: str, last: str | None = None) -> Iterator[Reading]:
    found = Reading()
    headers = {"Authorization": f"Bearer {key}"} | ({"Last-Event-ID": last} if last else {})
    thread = threading.Thread(target=found.read, args=(served, headers), daemon=True)
    thread.start()
    until(lambda: b"id: " in found.body or not thread.is_alive(), "it is open")
    assert b"id: " in found.body, (found.status, found.body, served.output.read_text())
    yield found
    thread.join(COMMAND_SECONDS)
    assert not thread.is_alive()


@pytest.mark.faults
def test_a_stream_ends_with_the_process_and_goes_on_with_the_next(shell: CommandLine, tmp_path: Path) -> None:
    shell.environment["MODELDECK_DRAIN_SECONDS"] = "5"
    user = shell.ok("user", "add", "--email", "a@x.org", "--name", "N")
    key = shell.ok("key", "create", "--user", user)

    def rename(name: str) -> None:
        file = tmp_path / "bundle.json"
        file.write_text(json.dumps({"models": [{"id": "m", "user_id": user, "name": name}]}))
        shell.ok("import", str(file))

    with shell.serving() as served:
        with reading(served, key) as stream:
            rename("1")
            until(lambda: stream.names == ["1"], "it was shown")
            served.process.send_signal(signal.SIGTERM)
            signalled = time.monotonic()
            until(lambda: stream.ended_after is not None, "it ended")
            # Others are still served, and a stream that comes back is sent elsewhere.
            assert served.get("/api/models/list", key).status_code == 200
            assert served.get(CHANGES, key).status_code == 503
        assert stream.ended_after is not None and stream.ended_after - signalled < 2
        assert served.process.wait(COMMAND_SECONDS) == 0
        assert "Traceback" not in served.output.read_text(), served.output.read_text()
    rename("2")
    rename("3")
    with shell.serving() as served, reading(served, key, parsed(stream.body)[1][-1]) as again:
        until(lambda: len(again.names) >= 2, "what was missed was shown")
        rename("4")
        until(lambda: len(again.names) >= 3, "it goes on")
        began = time.monotonic()
        # An interrupt does not wait for it.
        assert served.stop(signal.SIGINT) == 0
        assert time.monotonic() - began < 10
    assert again.names == ["2", "3", "4"]
