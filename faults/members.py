"""One mongod of a replica set: started, killed, paused, told to fail, and asked."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from service.embedded_mongo.mongod import Mongod

Record = dict[str, Any]
REPLICA_SET = "faults"
# They end with the process that started them, however that ends.
BOUND: tuple[str, ...] = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
_IMPATIENT: dict[str, Any] = {
    "directConnection": True,
    "serverSelectionTimeoutMS": 1500,
    "connectTimeoutMS": 1000,
    "socketTimeoutMS": 20_000,
}


@dataclass(frozen=True, slots=True)
class Home:
    """Where a mongod listens, and keeps its data and its log.

    `enter` is a command that starts another one there; `options` are for this mongod only.
    """

    host: str
    port: int
    data: Path
    log: Path
    enter: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Member:
    """A mongod on loopback or in a network of its own, known by its process."""

    def __init__(self, mongod: Mongod, home: Home) -> None:
        self.home = home
        self._mongod = mongod
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        self.home.data.mkdir(parents=True, exist_ok=True)
        options = {
            "--dbpath": self.home.data,
            "--port": self.home.port,
            "--bind_ip": self.home.host,
            "--replSet": REPLICA_SET,
            "--logpath": self.home.log,
            "--oplogSize": 200,
            "--wiredTigerCacheSizeGB": 0.25,
        }
        command = [*BOUND, *self.home.enter, str(self._mongod.path), "--nounixsocket", "--logappend"]
        command += self.home.options
        command += [str(part) for pair in options.items() for part in pair]
        for parameter in ("enableTestCommands=1", "diagnosticDataCollectionEnabled=false"):
            command += ["--setParameter", parameter]
        with self.home.log.with_suffix(".err").open("ab") as errors:
            self._process = subprocess.Popen(
                command, env=self._mongod.environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
            )

    @property
    def runs(self) -> bool:
        """Whether its process is there, if only paused."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill it, whatever state it is in."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Let it hang."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, which)

    @contextmanager
    def client(self) -> Iterator[MongoClient[Record]]:
        """Yield a client of this member alone."""
        with MongoClient[Record](self.home.host, self.home.port, **_IMPATIENT) as client:
            yield client

    def command(self, name: str, value: Any = 1, **options: Any) -> Record:
        """Run an administrative command."""
        with self.client() as client:
            return dict(client.admin.command(name, value, **options))

    def hello(self) -> Record:
        """Return what it says of itself; nothing when it does not answer."""
        if self.runs:
            with suppress(PyMongoError):
                return self.command("hello")
        return {}

    def fail(self, failpoint: str, mode: Any = "alwaysOn", **data: Any) -> None:
        """Set a failpoint."""
        with self.client() as client:
            client.admin.command({"configureFailPoint": failpoint, "mode": mode, **({"data": data} if data else {})})

    @contextmanager
    def failing(self, failpoint: str, mode: Any = "alwaysOn", **data: Any) -> Iterator[None]:
        """Have a failpoint set while a block runs."""
        self.fail(failpoint, mode, **data)
        try:
            yield
        finally:
            self.fail(failpoint, "off")
