"""A replica set of one, for tests that are about the service and not about its database."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.members import Home
from faults.place import Place
from faults.replica_set import ReplicaSet
from faults.services import Installation
from tests.support.commands import Served, free_port

APP = {"appName": "modeldeck"}


@contextmanager
def alone(place: Place, name: str, **settings: str) -> Iterator[tuple[ReplicaSet, Installation]]:
    """Yield a replica set of one member and an installation on it."""
    folder = place.folder_for(name)
    replica_set = ReplicaSet(place.mongod, [Home("127.0.0.1", free_port(), folder / "node", folder / "node.log")])
    replica_set.begin()
    try:
        yield replica_set, Installation(folder, replica_set.uri, f"faults_{name}", **settings)
    finally:
        replica_set.stop()


def resident_mb(served: Served) -> float:
    """Return the resident memory of a service in megabytes."""
    status = Path(f"/proc/{served.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024
