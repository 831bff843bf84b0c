"""Runs `modeldeck import`, `key create` and `serve` as subprocesses, and measures their time and memory."""

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
RESOURCE_USAGE = str(Path(__file__).with_name("resource_usage.py"))
IMPORT_SECONDS, COMMAND_SECONDS, START_SECONDS, STOP_SECONDS, SERVE_SECONDS = 1800, 60, 60, 40, 3600
IDLE_SECONDS = 5.0
_CHANGES = re.compile(r"^([\d,]+) changes$", re.MULTILINE)


class BenchmarkError(Exception):
    """A command or request that is measured failed."""


@dataclass(frozen=True, slots=True)
class ImportFigures:
    """One run of `modeldeck import`; `peak_mb` and `cpu_seconds` are those of the command, without mongod."""

    changes: int
    seconds: float
    cpu_seconds: float
    mongod_cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class BenchmarkDatabase:
    """One database of the MongoDB under test, and a directory for files."""

    uri: str
    database: str
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command: that of this process, with the settings of this database and no others."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MODELDECK_")}
        return {**inherited, "MODELDECK_MONGODB_URI": self.uri, "MODELDECK_DATABASE": self.database}

    def run(self, *command: str, seconds: int = COMMAND_SECONDS) -> str:
        """Run a command and return its standard output; raise BenchmarkError if it fails."""
        # In its own directory, so that no `.env` file is read either.
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
        """Create an API key for a user and return it."""
        return self.run(MODELDECK, "key", "create", "--user", user_id).strip()

    def import_bundle(self, bundle: Path) -> ImportFigures:
        """Run `modeldeck import` and return its time and memory."""
        result = self.directory / "import.json"
        before = _mongod_cpu_seconds(self.uri)
        command = (sys.executable, "-I", "-S", RESOURCE_USAGE, str(result), str(IMPORT_SECONDS))
        output = self.run(*command, MODELDECK, "import", str(bundle), seconds=IMPORT_SECONDS + COMMAND_SECONDS)
        mongod = _mongod_cpu_seconds(self.uri) - before
        changes = _CHANGES.search(output)
        if changes is None:
            raise BenchmarkError(f"the import did not print how many changes it made:\n{output}")
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
        """Whether the process is still running."""
        return self._process.poll() is None

    def resident_mb(self) -> float:
        """Return the resident memory of the process in megabytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        resident = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        if resident is None:
            raise BenchmarkError("the resident memory of the service can't be read")
        return int(resident[1]) / 1024

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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(database: BenchmarkDatabase) -> Iterator[Service]:
    """Run `modeldeck serve` while the block runs, but no longer than SERVE_SECONDS."""
    port, log = _free_port(), database.directory / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [MODELDECK, "serve", "--port", str(port)],
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
        service = Service(process, port)
        deadline = time.monotonic() + START_SECONDS
        while not service.ready():
            if not service.running or time.monotonic() > deadline:
                raise BenchmarkError(f"the service did not become ready:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        yield service
    finally:
        timer.cancel()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
