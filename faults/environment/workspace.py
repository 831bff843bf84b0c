"""What all fault tests share: a temporary folder, a mongod, and a replica set that is reused."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.environment.member import MemberConfig
from faults.environment.replica_set import ReplicaSet
from service.embedded_mongo.mongod import Mongod, find_mongod
from tests.support.commands import free_port


class CannotRunError(Exception):
    """A test needs something that this machine lacks; the message names it."""


class Workspace:
    """A folder that holds the files of everything the tests start, and the shared replica set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mongod: Mongod = find_mongod(folder / "lib")
        self._replica_set: ReplicaSet | None = None
        self._folder_numbers = itertools.count(1)
        self._lock = threading.Lock()

    def folder_for(self, name: str) -> Path:
        """Create and return a new folder whose name ends with `name`."""
        made = self.folder / f"{next(self._folder_numbers):02}-{name}"
        made.mkdir()
        return made

    @contextmanager
    def replica_set(self) -> Iterator[ReplicaSet]:
        """Yield the shared, healthy replica set of three members on loopback, to one test at a time.

        The next test gets the same one, unless the block fails: then the replica set is stopped, and a new one started.
        """
        with self._lock:
            if self._replica_set is None:
                self._replica_set = self._start_replica_set()
            try:
                self._replica_set.wait_until_healthy()
                yield self._replica_set
            except BaseException:
                self.close()
                raise

    def _start_replica_set(self) -> ReplicaSet:
        folder = self.folder_for("replica-set")
        configs = [
            MemberConfig("127.0.0.1", free_port(), folder / f"node{number}", folder / f"node{number}.log")
            for number in range(3)
        ]
        replica_set = ReplicaSet(self.mongod, configs)
        replica_set.start()
        return replica_set

    def close(self) -> None:
        """Stop the shared replica set, if it was started."""
        if self._replica_set is not None:
            self._replica_set.stop()
            self._replica_set = None
