"""`modeldeck serve`: from the first start to a response, and back to no running process."""

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.commands import COMMAND_SECONDS, CommandLine, Served, free_port, mongods, until

LIST = "/api/models/list"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("serve") / "data"
    yield folder
    assert mongods(folder) == []


@pytest.fixture
def shell(tmp_path: Path, data_dir: Path) -> CommandLine:
    return CommandLine(tmp_path, data_dir=str(data_dir))


def get(served: Served, path: str, key: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.get(f"{served.url}{path}", headers=headers, timeout=COMMAND_SECONDS)


def stopped(served: Served, how: signal.Signals, data_dir: Path) -> None:
    """Stop a server, which must exit with status 0 and stop its mongod too."""
    assert served.stop(how) == 0, served.output.read_text()
    assert "Traceback" not in served.output.read_text()
    until(lambda: not mongods(data_dir), "its mongod has ended")


def test_the_demo_answers_with_the_printed_key_and_the_second_time_nothing_is_added(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shell = CommandLine(tmp_path, data_dir=str(data))
    with shell.serving("--demo") as served:
        assert get(served, "/health/live").json() == {"status": "up"}
        assert get(served, "/health/ready").json() == {"status": "ready"}
        assert get(served, LIST).status_code == 401
        first = get(served, LIST, served.key).json()
        assert first["total"] >= 300
        assert len(first["items"]) == 30
        key, printed = served.key, served.output.read_text()
        assert re.search(r"\(([1-9][0-9,]*) records added\)", printed)
        assert f"curl -s -H 'Authorization: Bearer {key}' '{served.url}{LIST}?" in printed
        stopped(served, signal.SIGINT, data)

    with shell.serving("--demo") as served:
        assert "(0 records added)" in served.output.read_text()
        assert served.key == key
        assert get(served, LIST, key).json() == first
        stopped(served, signal.SIGTERM, data)
    assert (data / "demo-key").stat().st_mode & 0o777 == 0o600


def test_other_commands_join_the_mongod_of_a_server(shell: CommandLine, data_dir: Path) -> None:
    with shell.serving() as served:
        running = mongods(data_dir)
        user = shell.ok("user", "add", "--email", "a@x.org", "--name", "N")
        key = shell.ok("key", "create", "--user", user)
        assert get(served, LIST, key).json() == {"items": [], "total": 0}
        assert mongods(data_dir) == running
        stopped(served, signal.SIGTERM, data_dir)


def test_several_workers_stop_with_their_server(shell: CommandLine, data_dir: Path) -> None:
    with shell.serving("--workers", "2") as served:
        until(lambda: answers(served), "a worker answers")
        assert get(served, "/health/ready").status_code == 200
        stopped(served, signal.SIGINT, data_dir)
    until(lambda: not answers(served), "the workers have ended")


def answers(served: Served) -> bool:
    try:
        return get(served, "/health/live").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def default_sighup() -> Iterator[None]:
    """Restore the default action of SIGHUP for child processes, in case the tests themselves run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("default_sighup")
def test_a_server_whose_terminal_closes_takes_along_the_mongod_that_a_printed_uri_kept(
    shell: CommandLine, data_dir: Path
) -> None:
    shell.ok("database-uri")
    kept = mongods(data_dir)
    assert len(kept) == 1
    with shell.serving() as served:
        assert mongods(data_dir) == kept
        stopped(served, signal.SIGHUP, data_dir)


def test_a_port_in_use_is_reported_and_nothing_is_started(tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, data_dir=str(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = shell.run("serve", "--port", str(port))
    assert (done.status, done.stdout) == (2, "")
    assert done.stderr.startswith(f"modeldeck: Can't listen on 127.0.0.1:{port}: ")
    assert not (tmp_path / "data").exists()


def test_an_address_of_another_machine_is_reported(tmp_path: Path) -> None:
    shell = CommandLine(tmp_path, data_dir=str(tmp_path / "data"))
    done = shell.run("serve", "--host", "192.0.2.1", "--port", str(free_port()))
    assert done.status == 2
    assert done.stderr.startswith("modeldeck: Can't listen on 192.0.2.1:")
