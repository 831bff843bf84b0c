"""The service under test: `modeldeck serve` as a process, with an administrator's key."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from faults.ledger import Stored
from faults.members import BOUND
from faults.replica_set import ReplicaSet
from tests.support.commands import MODELDECK, Processes, Served

ROOT = Path(__file__).parents[1]
USER = "u-faults"
REQUEST_SECONDS = 10
# Of clients that ask for one thing: longer than the service may take for it.
CLIENT_SECONDS = 70.0


class Shell(Processes):
    """A command line whose commands end with this process."""

    program = (*BOUND, MODELDECK)


class WeakShell(Processes):
    """The same, of a service that was made to take its own word for a write: see `faults.weakened`."""

    program = (*BOUND, sys.executable, "-m", "faults.weakened")

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, **settings)
        self.environment["PYTHONPATH"] = str(ROOT)


@dataclass(frozen=True, slots=True)
class Service:
    """A service that runs, its database, and a key of an administrator."""

    served: Served
    shell: Processes
    database: str
    key: str

    @property
    def url(self) -> str:
        """Where it can be asked."""
        return self.served.url

    @contextmanager
    def client(self, seconds: float = CLIENT_SECONDS) -> Iterator[httpx.Client]:
        """Yield a client that sends nothing twice."""
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=seconds, trust_env=False) as client:
            yield client


class Installation:
    """A database with an administrator, on which services can be started again and again."""

    def __init__(self, folder: Path, uri: str, database: str, **settings: str) -> None:
        self._common = {"mongodb_uri": uri, "database": database, "request_timeout": str(REQUEST_SECONDS), **settings}
        self.folder = folder
        self.database = database
        self.shell: Processes = Shell(folder, **self._common)
        self.shell.ok("user", "add", "--id", USER, "--email", "f@example.com", "--name", "F", "--role", "admin")
        self.key = self.shell.ok("key", "create", "--user", USER)

    @contextmanager
    def serving(self, *arguments: str, weak: bool = False) -> Iterator[Service]:
        """Run the service for the duration of a block."""
        shell = WeakShell(self.folder, **self._common) if weak else self.shell
        with shell.serving(*arguments) as served:
            yield Service(served, self.shell, self.database, self.key)

    def problems(self) -> list[str]:
        """Return what the doctor finds."""
        done = self.shell.run("doctor")
        if done.status == 0:
            return []
        lines = [line.strip() for line in (done.stdout or done.stderr).splitlines() if line.strip()]
        return [f"doctor: {line}" for line in lines] or [f"doctor: exit status {done.status}"]


def stored(replica_set: ReplicaSet, database: str, prefix: str) -> Stored:
    """Return what a majority holds of the models whose ids begin so."""
    ours: dict[str, Any] = {"$gte": f"{prefix}-", "$lt": f"{prefix}."}
    with replica_set.client() as client:
        models = client[database].models.find({"_id": ours}, {"version": 1, "name": 1})
        revisions = client[database].revisions.find({"model_id": ours}, {"model_id": 1, "version": 1, "after.name": 1})
        return Stored(
            {found["_id"]: (found["version"], found["name"]) for found in models},
            [(found["model_id"], found["version"], found["after"]["name"]) for found in revisions],
        )
