"""Running the `modeldeck` command with an environment of its own and a time limit, usually inside this process."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import IO, Any

import httpx

from tests.support.in_process import run_in_process

MODELDECK = str(Path(sys.executable).with_name("modeldeck"))
# Limits for what hangs; long enough for any busy machine, since no passing test waits that long.
COMMAND_SECONDS = UNTIL_SECONDS = 180.0
POLL_SECONDS = 0.02
# A new connection for each request, which any worker may accept. Making a client takes longer than many requests.
_CLIENT = httpx.Client(timeout=COMMAND_SECONDS, limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)
# Below the system's ephemeral ports, and a different range for each parallel test process.
_FIRST_PORT = 20_000 + 1_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 10)
_PORTS = cycle(range(_FIRST_PORT + os.getpid() % 900, _FIRST_PORT + 1_000))
ANNOUNCED = re.compile(r"^Key:\s+(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Served:
    """A running `modeldeck serve` that accepts requests."""

    process: subprocess.Popen[str]
    url: str
    output: Path

    @property
    def key(self) -> str:
        """The demo key that it printed."""
        found = ANNOUNCED.search(self.output.read_text())
        assert found is not None, self.output.read_text()
        return found[1]

    def get(self, path: str, key: str | None = None, **options: Any) -> httpx.Response:
        """Send a GET request over a new connection, with an API key if there is one."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return _CLIENT.get(f"{self.url}{path}", headers=headers, **options)

    def answers(self) -> bool:
        """Return whether it accepts requests."""
        try:
            return self.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, how: signal.Signals) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(how)
        return self.process.wait(COMMAND_SECONDS)


class Processes:
    """A shell in a folder of its own, with the given MODELDECK_* variables and no others.

    Each command is a process, for tests of signals, streams, start-up and crashes, and of several commands at once.
    """

    program: Sequence[str] = (MODELDECK,)

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MODELDECK_")}
        self.environment = {**inherited, **{f"MODELDECK_{name.upper()}": value for name, value in settings.items()}}

    def start(self, *arguments: str, **options: int | IO[str]) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [*self.program, *arguments]
        process: subprocess.Popen[str] = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, **{**streams, **options}
        )
        return process

    def run(self, *arguments: str, stdin: str = "") -> Done:
        """Run a command to its end."""
        process = self.start(*arguments, stdin=subprocess.PIPE)
        return finish(process, stdin)

    def ok(self, *arguments: str, stdin: str = "") -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.status == 0, done
        return done.stdout.strip()

    @contextmanager
    def serving(self, *arguments: str) -> Iterator[Served]:
        """Run `modeldeck serve` for the duration of a block, which begins once it accepts requests."""
        port = free_port()
        output = self.folder / f"serve-{port}.log"
        # By default, no load balancer has to notice the shutdown.
        self.environment.setdefault("MODELDECK_DRAIN_SECONDS", "0")
        with output.open("w") as file:
            process = self.start("serve", "--port", str(port), *arguments, stdout=file, stderr=subprocess.STDOUT)
        try:
            until(lambda: "Modeldeck is at" in output.read_text() or process.poll() is not None, "it is announced")
            assert process.poll() is None, output.read_text()
            yield Served(process, f"http://127.0.0.1:{port}", output)
        finally:
            end(process)


class CommandLine(Processes):
    """The same, but `run` runs a command inside this process, which is faster than starting one.

    Commands started with `start` are processes.
    """

    def run_here(self, *arguments: str, stdin: str = "") -> Done:
        """Run a command to its end inside this process."""
        return Done(*run_in_process(arguments, self.folder, self.environment, stdin, COMMAND_SECONDS))

    def run(self, *arguments: str, stdin: str = "") -> Done:
        """Run a command to its end."""
        if arguments[:1] in {("serve",), ("database-uri",)}:
            # `serve` changes the logging of its process; `database-uri` leaves a child process, whose parent must end.
            return super().run(*arguments, stdin=stdin)
        return self.run_here(*arguments, stdin=stdin)


def finish(process: subprocess.Popen[str], stdin: str | None = None) -> Done:
    """Wait for a command and return how it ended."""
    try:
        stdout, stderr = process.communicate(stdin, COMMAND_SECONDS)
    finally:
        end(process)
    return Done(process.returncode, stdout, stderr)


def end(process: subprocess.Popen[str]) -> None:
    """Stop a process if it still runs: with SIGTERM, then with SIGKILL."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def until(condition: Callable[[], object], what: str, seconds: float = UNTIL_SECONDS) -> None:
    """Wait until a condition holds; fail when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s until {what}"
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """Return a port of the loopback address that nothing listens on; a new one each time."""
    for port in _PORTS:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("unreachable: the ports never end")


def mongods(data_dir: Path) -> list[int]:
    """Return the process ids of the mongods that serve a data directory, read from the process table."""
    wanted = os.fsencode(data_dir.resolve() / "db")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--dbpath" in arguments and wanted in arguments and (process / "cwd").exists():
            found.append(int(process.name))
    return found


def starts(data_dir: Path) -> int:
    """Return how often a mongod of a data directory was started."""
    return (data_dir / "mongod.log").read_text().count('"MongoDB starting"')
