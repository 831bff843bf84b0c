"""The embedded mongod: one per data directory, shared by all commands, stopped by the last, not blocked by a crash."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from service.embedded_mongo.server import EmbeddedMongo
from tests.support.commands import COMMAND_SECONDS, CommandLine, end, finish, mongods, starts, until

USER = ("user", "add", "--name", "N", "--email")
IDLE_SECONDS = 0.6
KEEP_ALIVE = f"""
import sys
from pathlib import Path
from service.embedded_mongo.keep_alive import keep_alive
keep_alive(Path(sys.argv[1]), {IDLE_SECONDS})
"""
# Takes a lease, prints a line, and releases the lease when standard input is closed.
HOLDER = """
import sys
from pathlib import Path
from service.embedded_mongo.server import EmbeddedMongo
with EmbeddedMongo(Path(sys.argv[1])).lease():
    print("held", flush=True)
    sys.stdin.readline()
"""
# Is interrupted right after mongod was started, before its process id is stored.
INTERRUPTED = """
import os, signal, subprocess, sys
from pathlib import Path
from service.embedded_mongo.server import EmbeddedMongo
execute = subprocess.Popen._execute_child
def execute_and_interrupt(self, arguments, *rest):
    execute(self, arguments, *rest)
    if "--fork" in arguments:
        os.kill(os.getpid(), signal.SIGINT)
subprocess.Popen._execute_child = execute_and_interrupt
try:
    EmbeddedMongo(Path(sys.argv[1])).acquire()
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    for pid in mongods(folder):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def shell(tmp_path: Path, data_dir: Path) -> CommandLine:
    return CommandLine(tmp_path, data_dir=str(data_dir))


@contextmanager
def holder(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        release(process)
        process.wait(COMMAND_SECONDS)
    finally:
        end(process)


def release(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    if process.poll() is None:
        process.stdin.write("\n")
        process.stdin.flush()


def require_stopped(data_dir: Path) -> None:
    until(lambda: not mongods(data_dir), "its mongod has ended")


def emails(data_dir: Path, database: str = "modeldeck") -> set[str]:
    with MongoClient[dict[str, Any]](EmbeddedMongo(data_dir).uri(database)) as client:
        return {user["email"] for user in client[database]["users"].find()}


def test_commands_that_start_at_once_share_one_mongod_and_the_last_one_stops_it(
    shell: CommandLine, data_dir: Path
) -> None:
    both = [shell.start(*USER, email) for email in ("a@example.com", "b@example.com")]
    assert [finish(process).status for process in both] == [0, 0]
    require_stopped(data_dir)

    with holder(data_dir), holder(data_dir) as first:
        assert emails(data_dir) == {"a@example.com", "b@example.com"}
        before = mongods(data_dir)
        assert len(before) == 1
        release(first)
        first.wait(COMMAND_SECONDS)
        shell.ok(*USER, "c@example.com")
        assert mongods(data_dir) == before
    require_stopped(data_dir)


def test_neither_slow_operations_are_logged_nor_does_anybody_run_javascript(mongo_uri: str) -> None:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        profile = client.admin.command("profile", -1)
        # Slow operations would be logged with the prompts that they write; none takes 20 days.
        assert (profile["was"], profile["slowms"] > 20 * 86_400_000) == (0, True)
        one: list[dict[str, Any]] = [{"$documents": [{}]}]
        function = {"$function": {"body": "function() { return 1 }", "args": [], "lang": "js"}}
        with pytest.raises(OperationFailure):
            client.admin.aggregate([*one, {"$set": {"got": function}}])


@pytest.mark.faults
def test_a_killed_mongod_is_restarted_with_its_data(shell: CommandLine, data_dir: Path) -> None:
    with holder(data_dir):
        shell.ok(*USER, "a@example.com")
        [pid] = mongods(data_dir)
        os.kill(pid, signal.SIGKILL)
        shell.ok(*USER, "b@example.com")
        assert emails(data_dir) == {"a@example.com", "b@example.com"}
        assert mongods(data_dir) not in ([], [pid])
    require_stopped(data_dir)


@pytest.mark.faults
def test_the_mongod_of_a_killed_command_is_joined_and_stopped_by_the_next(shell: CommandLine, data_dir: Path) -> None:
    with holder(data_dir) as victim:
        victim.kill()
        victim.wait(COMMAND_SECONDS)
    assert len(mongods(data_dir)) == 1
    shell.ok(*USER, "a@example.com")
    require_stopped(data_dir)
    assert starts(data_dir) == 1


@pytest.mark.faults
def test_a_command_killed_while_its_mongod_starts_blocks_nobody(shell: CommandLine, data_dir: Path) -> None:
    victim = shell.start(*USER, "a@example.com")
    until(lambda: mongods(data_dir), "mongod is being started")
    victim.kill()
    finish(victim)
    shell.ok(*USER, "b@example.com")
    require_stopped(data_dir)


@pytest.mark.faults
def test_a_command_killed_while_its_mongod_stops_blocks_nobody(shell: CommandLine, data_dir: Path) -> None:
    with holder(data_dir) as victim:
        [pid] = mongods(data_dir)
        os.kill(pid, signal.SIGSTOP)
        release(victim)
        until(lambda: not EmbeddedMongo(data_dir).socket_path.exists(), "mongod was told to stop")
        victim.kill()
        victim.wait(COMMAND_SECONDS)
    following = shell.start(*USER, "a@example.com")
    os.kill(pid, signal.SIGCONT)
    assert finish(following).status == 0
    require_stopped(data_dir)
    assert starts(data_dir) == 2


@pytest.mark.faults
def test_an_interrupted_start_leaves_no_mongod(shell: CommandLine, data_dir: Path) -> None:
    interrupted = shell.start(*USER, "a@example.com")
    until(lambda: mongods(data_dir), "mongod is being started")
    interrupted.send_signal(signal.SIGINT)
    done = finish(interrupted)
    assert (done.status, done.stderr) == (130, "")
    require_stopped(data_dir)


@pytest.mark.faults
def test_a_start_that_is_interrupted_before_it_knows_its_mongod_leaves_none(data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(data_dir)], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    assert starts(data_dir) == 1
    require_stopped(data_dir)


def test_a_data_directory_can_be_moved_with_all_it_holds(shell: CommandLine, data_dir: Path, tmp_path: Path) -> None:
    shell.ok(*USER, "a@example.com")
    require_stopped(data_dir)
    moved = data_dir.rename(tmp_path / "moved")
    done = CommandLine(tmp_path, data_dir=str(moved)).run(*USER, "A@example.com")
    assert (done.status, done.stderr) == (2, "modeldeck: The id or the email is taken by another user.\n")
    require_stopped(moved)


@pytest.mark.parametrize("name", ["long" * 50, "space, comma: colon; plus+ percent%2F ü"], ids=["long", "odd"])
def test_a_data_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    elsewhere = CommandLine(tmp_path, data_dir=str(folder), database="named")
    elsewhere.environment["TMPDIR"] = str(tmp_path)
    with holder(folder):
        elsewhere.ok(*USER, "a@example.com")
        assert emails(folder, "named") == {"a@example.com"}
        assert len(mongods(folder)) == 1
    require_stopped(folder)


def test_a_printed_uri_outlives_the_command_that_printed_it(shell: CommandLine, data_dir: Path) -> None:
    embedded = EmbeddedMongo(data_dir)
    try:
        uri = shell.ok("database-uri")
        with MongoClient[dict[str, Any]](uri) as client:
            assert client.admin.command("hello")["isWritablePrimary"]
            assert shell.ok("database-uri") == uri
            assert client.admin.command("ping")["ok"] == 1
        assert starts(data_dir) == 1
    finally:
        embedded.stop_keep_alive()
    require_stopped(data_dir)


@contextmanager
def keep_alive_with_client(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], MongoClient[dict[str, Any]]]]:
    """Yield a keep_alive process that is the only one with a lease, and a client that connected before it started."""
    embedded = EmbeddedMongo(data_dir)
    with MongoClient[dict[str, Any]](embedded.uri("admin")) as client:
        with embedded.lease():
            assert client.admin.command("ping")["ok"] == 1
            keep_alive = subprocess.Popen(
                [sys.executable, "-c", KEEP_ALIVE, str(data_dir)], stdout=subprocess.PIPE, text=True
            )
            assert keep_alive.stdout is not None
            assert keep_alive.stdout.read() == "", "it holds its lease from here on"
        try:
            yield keep_alive, client
        finally:
            client.close()
            assert keep_alive.wait(COMMAND_SECONDS) == 0
            end(keep_alive)
    require_stopped(data_dir)


def wait_seconds(seconds: float) -> None:
    enough = time.monotonic() + seconds
    until(lambda: time.monotonic() > enough, "the time has passed")


def test_the_keep_alive_stays_while_somebody_is_connected_and_ends_when_nobody_is(data_dir: Path) -> None:
    with keep_alive_with_client(data_dir) as (keep_alive, client):
        wait_seconds(2 * IDLE_SECONDS)
        assert keep_alive.poll() is None
        assert client.admin.command("ping")["ok"] == 1


@pytest.mark.faults
def test_the_keep_alive_does_not_leave_a_mongod_that_is_too_busy_to_answer(data_dir: Path) -> None:
    with keep_alive_with_client(data_dir) as (_, client):
        [pid] = mongods(data_dir)
        os.kill(pid, signal.SIGSTOP)
        # Longer than the keep_alive waits for an answer of mongod.
        wait_seconds(4)
        assert EmbeddedMongo(data_dir).socket_path.exists(), "the mongod was told to stop"
        os.kill(pid, signal.SIGCONT)
        assert client.admin.command("ping")["ok"] == 1


@pytest.mark.parametrize("blocked", ["a file", "a folder in place of a lock"])
def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path, blocked: str) -> None:
    folder = tmp_path / "data"
    if blocked == "a file":
        folder.touch()
    else:
        (folder / "lease.lock").mkdir(parents=True)
    done = CommandLine(tmp_path, data_dir=str(folder)).run(*USER, "a@example.com")
    assert done.status == 2
    assert done.stderr.startswith("modeldeck: The data directory can't be used")
    assert str(folder) in done.stderr
