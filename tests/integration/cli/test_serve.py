"""`modeldeck serve`: from the first start to a response, and back to no running process."""

import fcntl
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.commands import CommandLine, Served, free_port, mongods, starts, until

LIST, READY = "/api/models/list", "/health/ready"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("serve") / "data"
    yield folder
    assert mongods(folder) == []


@pytest.fixture
def shell(tmp_path: Path, data_dir: Path) -> CommandLine:
    return CommandLine(tmp_path, data_dir=str(data_dir))


def stopped(served: Served, how: signal.Signals, data_dir: Path) -> None:
    """Stop a server, which must exit with status 0 and stop its mongod too."""
    assert served.stop(how) == 0, served.output.read_text()
    assert "Traceback" not in served.output.read_text()
    until(lambda: not mongods(data_dir), "its mongod has ended")


@contextmanager
def nothing_starts(data_dir: Path) -> Iterator[None]:
    """Have whoever wants to start a mongod wait, as for a command that is starting one."""
    with (data_dir / "start.lock").open() as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        yield


def loses_its_mongod(served: Served, data_dir: Path) -> None:
    """Kill the mongod of a server, which must start it again, and meanwhile not be ready."""
    [pid], before = mongods(data_dir), starts(data_dir)
    with nothing_starts(data_dir):
        os.kill(pid, signal.SIGKILL)
        until(lambda: served.get(READY).status_code == 503, "it is not ready")
        assert served.get(READY).json()["detail"] == "The database does not answer."
        assert mongods(data_dir) == []
    until(lambda: served.get(READY).status_code == 200, "it is ready again")
    [other] = mongods(data_dir)
    assert (other != pid, starts(data_dir)) == (True, before + 1)


def test_the_demo_answers_with_the_printed_key_and_the_second_time_nothing_is_added(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shell = CommandLine(tmp_path, data_dir=str(data))
    with shell.serving("--demo") as served:
        assert served.get("/health/live").json() == {"status": "up"}
        assert served.get(READY).json() == {"status": "ready"}
        assert served.get(LIST).status_code == 401
        first = served.get(LIST, served.key).json()
        assert first["total"] >= 300
        assert len(first["items"]) == 30
        key, printed = served.key, served.output.read_text()
        assert re.search(r"\(([1-9][0-9,]*) records added\)", printed)
        assert f"curl -s -H 'Authorization: Bearer {key}' '{served.url}{LIST}?" in printed
        stopped(served, signal.SIGINT, data)

    with shell.serving("--demo") as served:
        assert "(0 records added)" in served.output.read_text()
        assert served.key == key
        assert served.get(LIST, key).json() == first
        loses_its_mongod(served, data)
        assert served.get(LIST, key).json() == first
        assert "the embedded MongoDB has ended" in served.output.read_text()
        # Logged a moment after it has answered others.
        until(lambda: "the embedded MongoDB runs again" in served.output.read_text(), "the restart is logged")
        stopped(served, signal.SIGTERM, data)
    assert (data / "demo-key").stat().st_mode & 0o777 == 0o600


@pytest.mark.faults
def test_several_workers_stop_with_their_server(shell: CommandLine, data_dir: Path) -> None:
    with shell.serving("--workers", "2") as served:
        until(served.answers, "a worker answers")
        assert served.get(READY).status_code == 200
        loses_its_mongod(served, data_dir)
        stopped(served, signal.SIGINT, data_dir)
    until(lambda: not served.answers(), "the workers have ended")


@pytest.fixture
def default_sighup() -> Iterator[None]:
    """Restore the default action of SIGHUP for child processes, in case the tests themselves run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("default_sighup")
def test_a_server_and_other_commands_share_a_mongod_that_stops_when_the_terminal_closes(
    shell: CommandLine, data_dir: Path
) -> None:
    # A printed URI keeps its mongod, which the server then takes along when it stops.
    shell.ok("database-uri")
    kept = mongods(data_dir)
    assert len(kept) == 1
    with shell.serving() as served:
        user = shell.ok("user", "add", "--email", "a@x.org", "--name", "N")
        key = shell.ok("key", "create", "--user", user)
        assert served.get(LIST, key).json() == {"items": [], "total": 0, "next_cursor": None}
        assert mongods(data_dir) == kept
        stopped(served, signal.SIGHUP, data_dir)


def test_a_port_in_use_is_reported_and_nothing_is_started(tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, data_dir=str(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell.run_here("serve", "--port", str(port))
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith(f"modeldeck: Can't listen on 127.0.0.1:{port}: ")
    assert not (tmp_path / "data").exists()


def test_an_address_of_another_machine_is_reported(tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, data_dir=str(tmp_path / "data"))
    done = shell.run_here("serve", "--host", "192.0.2.1", "--port", str(free_port()))
    assert done.status == 2
    assert done.stderr.startswith("modeldeck: Can't listen on 192.0.2.1:")
