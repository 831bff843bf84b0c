"""The real command line as subprocesses: import, key, serve; with their times and their memory."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

MODELDECK = str(Path(sys.executable).parent / "modeldeck")
SPAWN = str(Path(__file__).with_name("spawn.py"))
IMPORT_SECONDS, COMMAND_SECONDS, START_SECONDS, STOP_SECONDS, SERVE_SECONDS = 1800, 60, 60, 40, 3600
IDLE_SECONDS = 5.0
_CHANGES = re.compile(r"^([\d,]+) changes$", re.MULTILINE)


class BenchmarkError(Exception):
    """Something that is measured does not work at all."""


@dataclass(frozen=True, slots=True)
class ImportFigures:
    """One run of `modeldeck import`; the memory and `cpu_seconds` are its own, without mongod's."""

    changes: int
    seconds: float
    cpu_seconds: float
    mongod_cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Place:
    """One database of the MongoDB under test, and a directory for files beside it."""

    uri: str
    database: str
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command: ours without settings that are not this place's."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("MODELDECK_")}
        return {**ours, "MODELDECK_MONGODB_URI": self.uri, "MODELDECK_DATABASE": self.database}

    def run(self, *command: str, seconds: int = COMMAND_SECONDS) -> str:
        """Run a command to its end and return its standard output; raise BenchmarkError unless it succeeds."""
        # In the directory of the place, so that no `.env` counts either.
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{' '.join(command)}: took more than {seconds} s") from None
        if done.returncode != 0:
            raise BenchmarkError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def create_key(self, user_id: str) -> str:
        """Return a new API key of a user."""
        return self.run(MODELDECK, "key", "create", "--user", user_id).strip()

    def import_bundle(self, bundle: Path) -> ImportFigures:
        """Run `modeldeck import` and return what it took."""
        result = self.directory / "import.json"
        before = _mongod_cpu_seconds(self.uri)
        command = (sys.executable, "-I", "-S", SPAWN, str(result), str(IMPORT_SECONDS))
        output = self.run(*command, MODELDECK, "import", str(bundle), seconds=IMPORT_SECONDS + COMMAND_SECONDS)
        mongod = _mongod_cpu_seconds(self.uri) - before
        changes = _CHANGES.search(output)
        if changes is None:
            raise BenchmarkError(f"the import does not say how many changes it made:\n{output}")
        figures: dict[str, float] = json.loads(result.read_text())
        return ImportFigures(int(changes[1].replace(",", "")), mongod_cpu_seconds=mongod, **figures)


def _mongod_cpu_seconds(uri: str) -> float:
    with MongoClient[dict[str, Any]](uri) as client:
        used = client.admin.command("serverStatus")["extra_info"]
    return float(used["user_time_us"] + used["system_time_us"]) / 1e6


class Service:
    """A running `modeldeck serve`."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self._process = process
        self.port = port

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def resident_mb(self) -> float:
        """Return the resident memory of the process now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        resident = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        if resident is None:
            raise BenchmarkError("the service has no resident memory to read")
        return int(resident[1]) / 1024

    def ready(self) -> bool:
        """Say whether the service answers that it is ready."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(place: Place) -> Iterator[Service]:
    """Run `modeldeck serve` for the duration of the block, bounded in time."""
    port, log = _free_port(), place.directory / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [MODELDECK, "serve", "--port", str(port)],
            env=place.environment,
            cwd=place.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    bound = threading.Timer(SERVE_SECONDS, process.kill)
    bound.daemon = True
    bound.start()
    try:
        service = Service(process, port)
        deadline = time.monotonic() + START_SECONDS
        while not service.ready():
            if not service.running or time.monotonic() > deadline:
                raise BenchmarkError(f"the service did not become ready:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield service
    finally:
        bound.cancel()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
