"""One mongod of a replica set: start, kill or pause its process, run commands on it, set its failpoints."""

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
# Placed before a command: the kernel kills its process when the process that started it ends, for whatever reason.
END_WITH_PARENT: tuple[str, ...] = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
_CLIENT_OPTIONS: dict[str, Any] = {
    "directConnection": True,
    "serverSelectionTimeoutMS": 1500,
    "connectTimeoutMS": 1000,
    "socketTimeoutMS": 20_000,
}


@dataclass(frozen=True, slots=True)
class MemberConfig:
    """Where a mongod listens, and where it keeps its data and its log.

    `enter` is placed before its command, to run it in another network namespace; `options` are added to the command.
    """

    host: str
    port: int
    data: Path
    log: Path
    enter: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """Host and port, as in a URI."""
        return f"{self.host}:{self.port}"


class Member:
    """A mongod process, on loopback or in a network namespace."""

    def __init__(self, mongod: Mongod, config: MemberConfig) -> None:
        self.config = config
        self._mongod = mongod
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, for the first time or again."""
        self.config.data.mkdir(parents=True, exist_ok=True)
        options = {
            "--dbpath": self.config.data,
            "--port": self.config.port,
            "--bind_ip": self.config.host,
            "--replSet": REPLICA_SET,
            "--logpath": self.config.log,
            "--oplogSize": 200,
            "--wiredTigerCacheSizeGB": 0.25,
        }
        command = [*END_WITH_PARENT, *self.config.enter, str(self._mongod.path), "--nounixsocket", "--logappend"]
        command += self.config.options
        command += [str(part) for pair in options.items() for part in pair]
        for parameter in ("enableTestCommands=1", "diagnosticDataCollectionEnabled=false"):
            command += ["--setParameter", parameter]
        with self.config.log.with_suffix(".err").open("ab") as errors:
            self._process = subprocess.Popen(
                command, env=self._mongod.environment, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
            )

    @property
    def is_running(self) -> bool:
        """Whether the process exists; a paused one counts."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill the process with SIGKILL, also when it is paused."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Stop the process with SIGSTOP; its connections stay open and are not answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue a paused process."""
        self._signal(signal.SIGCONT)

    def _signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, which)

    @contextmanager
    def client(self) -> Iterator[MongoClient[Record]]:
        """Yield a client that is connected to this member only."""
        with MongoClient[Record](self.config.host, self.config.port, **_CLIENT_OPTIONS) as client:
            yield client

    def command(self, name: str, value: Any = 1, **options: Any) -> Record:
        """Run an administrative command and return its reply."""
        with self.client() as client:
            return dict(client.admin.command(name, value, **options))

    def hello(self) -> Record:
        """Return the reply to `hello`, or an empty record if the member does not answer."""
        if self.is_running:
            with suppress(PyMongoError):
                return self.command("hello")
        return {}

    def set_failpoint(self, failpoint: str, mode: Any = "alwaysOn", **data: Any) -> None:
        """Set a failpoint, or remove it with the mode `off`."""
        with self.client() as client:
            client.admin.command({"configureFailPoint": failpoint, "mode": mode, **({"data": data} if data else {})})

    @contextmanager
    def failpoint(self, failpoint: str, mode: Any = "alwaysOn", **data: Any) -> Iterator[None]:
        """Keep a failpoint set while the block runs."""
        self.set_failpoint(failpoint, mode, **data)
        try:
            yield
        finally:
            self.set_failpoint(failpoint, "off")
