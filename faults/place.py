"""What the tests share: a folder, a mongod, and a replica set that is kept from one test to the next."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.members import Home
from faults.replica_set import ReplicaSet
from service.embedded_mongo.mongod import Mongod, find_mongod
from tests.support.commands import free_port


class CannotRunError(Exception):
    """A test needs what this machine lacks; the message says what."""


class Place:
    """A folder of its own, in which everything that the tests start keeps its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mongod: Mongod = find_mongod(folder / "lib")
        self._kept: ReplicaSet | None = None
        self._made = itertools.count(1)
        self._in_use = threading.Lock()

    def folder_for(self, name: str) -> Path:
        """Return a new folder."""
        made = self.folder / f"{next(self._made):02}-{name}"
        made.mkdir()
        return made

    @contextmanager
    def replica_set(self) -> Iterator[ReplicaSet]:
        """Yield a whole replica set of three on loopback, to one at a time.

        It is used again, unless a test failed with it.
        """
        with self._in_use:
            if self._kept is None:
                self._kept = self._new()
            try:
                self._kept.whole()
                yield self._kept
            except BaseException:
                self.close()
                raise

    def _new(self) -> ReplicaSet:
        folder = self.folder_for("replica-set")
        homes = [
            Home("127.0.0.1", free_port(), folder / f"node{number}", folder / f"node{number}.log")
            for number in range(3)
        ]
        made = ReplicaSet(self.mongod, homes)
        made.begin()
        return made

    def close(self) -> None:
        """Stop what is kept."""
        if self._kept is not None:
            self._kept.stop()
            self._kept = None
