"""Runs `modeldeck serve`, and the bare application that it is compared with, while a block runs."""

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.commands import MODELDECK, BenchmarkDatabase, BenchmarkError

START_SECONDS, STOP_SECONDS, SERVE_SECONDS = 60, 40, 7200
_BARE = ("--app-dir", str(Path(__file__).parent), "--http", "httptools", "--loop", "asyncio", "--log-level", "warning")
# Worker processes have started when each uses less of a processor than this. All together, many that wait use more.
IDLE_SHARE, IDLE_SECONDS = 0.05, 0.5
# Of the fields of /proc/<pid>/stat, those behind the name.
_PARENT, _USER_TICKS, _SYSTEM_TICKS = 1, 11, 12


class Server:
    """A running web server and its worker processes."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self._process = process
        self.port = port

    @property
    def running(self) -> bool:
        """Whether the process is still running."""
        return self._process.poll() is None

    def resident_mb(self) -> float:
        """Return the resident memory of the process, without workers, in megabytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        resident = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        if resident is None:
            raise BenchmarkError("the resident memory of the service can't be read")
        return int(resident[1]) / 1024

    def cpu_seconds(self) -> float:
        """Return the processor time that the process and its workers have used so far."""
        return sum(self._cpu_seconds_of_each().values())

    def _cpu_seconds_of_each(self) -> dict[int, float]:
        used: dict[int, float] = {}
        for path in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda path: int(path.parent.name)):
            with suppress(FileNotFoundError, ProcessLookupError):
                # The name of the program, in parentheses, may hold anything.
                fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
                pid = int(path.parent.name)
                if pid == self._process.pid or int(fields[_PARENT]) in used:
                    ticks = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
                    used[pid] = ticks / os.sysconf("SC_CLK_TCK")
        return used

    def ready(self) -> bool:
        """Return whether the service answers that it is ready."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def wait_until_ready(self, log: Path) -> None:
        """Wait until the service is ready and all its workers have started; raise BenchmarkError if that fails."""
        deadline = time.monotonic() + START_SECONDS
        while not self.ready() or not self._idle():
            if not self.running or time.monotonic() > deadline:
                raise BenchmarkError(f"the service did not become ready:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def _idle(self) -> bool:
        before = self._cpu_seconds_of_each()
        time.sleep(IDLE_SECONDS)
        after = self._cpu_seconds_of_each()
        return all(used - before.get(pid, 0.0) < IDLE_SHARE * IDLE_SECONDS for pid, used in after.items())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(database: BenchmarkDatabase, workers: int = 1) -> Iterator[Server]:
    """Run `modeldeck serve` while the block runs, but no longer than SERVE_SECONDS."""
    with _running((MODELDECK, "serve", "--workers", str(workers)), database) as server:
        yield server


@contextmanager
def serving_bare(database: BenchmarkDatabase) -> Iterator[Server]:
    """Run `bare_app.py` on the same web server with the same settings, in one process."""
    with _running((sys.executable, "-m", "uvicorn", "bare_app:app", *_BARE), database) as server:
        yield server


@contextmanager
def _running(command: Sequence[str], database: BenchmarkDatabase) -> Iterator[Server]:
    port, log = _free_port(), database.directory / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            env=database.environment,
            cwd=database.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    timer = threading.Timer(SERVE_SECONDS, process.kill)
    timer.daemon = True
    timer.start()
    try:
        server = Server(process, port)
        server.wait_until_ready(log)
        yield server
    finally:
        timer.cancel()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
