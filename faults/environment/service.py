"""The service under test: `modeldeck serve` as a process, on a database with an administrator and an API key."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from faults.environment.member import END_WITH_PARENT, MemberConfig
from faults.environment.replica_set import ReplicaSet
from faults.environment.workspace import Workspace
from tests.support.commands import MODELDECK, Processes, Served, free_port

ROOT = Path(__file__).parents[2]
USER = "u-faults"
REQUEST_TIMEOUT_SECONDS = 10
# Longer than the service may take for one request.
CLIENT_TIMEOUT_SECONDS = 70.0
# Restricts a failpoint of mongod to the connections of the service.
SERVICE_CONNECTIONS = {"appName": "modeldeck"}
# An administrator may have put options into the URI that weaken reads and writes; the service must override them.
DEFAULT_URI_OPTIONS, WEAKENING_URI_OPTIONS = "", "&readPreference=secondaryPreferred&w=1&retryWrites=false"


class Shell(Processes):
    """A command line whose commands are killed when this process ends."""

    program = (*END_WITH_PARENT, MODELDECK)


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, its database, and an API key of an administrator."""

    served: Served
    shell: Processes
    database: str
    key: str

    @property
    def url(self) -> str:
        """The base URL of the service."""
        return self.served.url

    @contextmanager
    def client(self, seconds: float = CLIENT_TIMEOUT_SECONDS) -> Iterator[httpx.Client]:
        """Yield a client that authenticates with the key and never retries."""
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=seconds, trust_env=False) as client:
            yield client

    def resident_mb(self) -> float:
        """Return the resident memory of the service in megabytes."""
        status = Path(f"/proc/{self.served.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024


class Installation:
    """A database with an administrator, on which the service can be started repeatedly."""

    def __init__(self, folder: Path, uri: str, database: str, **settings: str) -> None:
        self.settings = {
            "mongodb_uri": uri,
            "database": database,
            "request_timeout": str(REQUEST_TIMEOUT_SECONDS),
            **settings,
        }
        self.folder = folder
        self.database = database
        self.shell: Processes = Shell(folder, **self.settings)
        self.shell.ok("user", "add", "--id", USER, "--email", "f@example.com", "--name", "F", "--role", "admin")
        self.key = self.shell.ok("key", "create", "--user", USER)

    @contextmanager
    def serving(self, *arguments: str, shell: Processes | None = None) -> Iterator[Service]:
        """Run the service while the block runs, from another `shell` if one is given."""
        with (shell or self.shell).serving(*arguments) as served:
            yield Service(served, self.shell, self.database, self.key)

    def doctor_problems(self) -> list[str]:
        """Run `modeldeck doctor` and return the problems it reports."""
        done = self.shell.run("doctor")
        if done.status == 0:
            return []
        lines = [line.strip() for line in (done.stdout or done.stderr).splitlines() if line.strip()]
        return [f"doctor: {line}" for line in lines] or [f"doctor: exit status {done.status}"]


@contextmanager
def single_member_installation(
    workspace: Workspace, name: str, **settings: str
) -> Iterator[tuple[ReplicaSet, Installation]]:
    """Yield a replica set of one member and an installation on it, for tests of the service itself."""
    folder = workspace.folder_for(name)
    config = MemberConfig("127.0.0.1", free_port(), folder / "node", folder / "node.log")
    replica_set = ReplicaSet(workspace.mongod, [config])
    replica_set.start()
    try:
        yield replica_set, Installation(folder, replica_set.uri, f"faults_{name}", **settings)
    finally:
        replica_set.stop()
