"""D1: the primary is cut off from all others, or only from the other members, in network namespaces.

Run as a program inside a network namespace, it does the test and prints its row as JSON.
"""

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from faults.environment.member import END_WITH_PARENT, Member
from faults.environment.network_namespaces import Networks, require_network_namespaces
from faults.environment.replica_set import ReplicaSet
from faults.environment.service import ROOT, Installation
from faults.environment.workspace import Workspace
from faults.report import Result, Row, progress
from faults.scenarios.failover import FIRST, Undo, failover_row, wait_for_first_acknowledged
from faults.workload.concurrent_writer import ConcurrentWriter

STOP_SECONDS = 60.0
NAME = (
    "network partition of the primary: packets are dropped (between it and all others, or only the other members; "
    f"{FIRST})"
)
ATTEMPT_SECONDS = 3.0
PAUSE_SECONDS = 0.1
_BARE_DRIVER_OPTIONS: dict[str, Any] = {
    "w": "majority",
    "journal": True,
    "heartbeatFrequencyMS": 500,
    "connectTimeoutMS": 1000,
}


class BareDriver:
    """A driver without the service, which measures how long MongoDB itself takes to recover.

    `seconds` is when its first write was acknowledged; None until then.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._stop = threading.Event()
        self.seconds: float | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Try to write until one write is acknowledged or the block ends."""
        thread = threading.Thread(target=self._write, args=(time.monotonic(),), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _write(self, began: float) -> None:
        with MongoClient[dict[str, Any]](self._uri, **_BARE_DRIVER_OPTIONS) as client:
            while self.seconds is None and not self._stop.is_set():
                try:
                    with pymongo.timeout(ATTEMPT_SECONDS):
                        client.faults_bare_driver.writes.insert_one({})
                    self.seconds = time.monotonic() - began
                except PyMongoError:
                    time.sleep(PAUSE_SECONDS)


def run(_: Workspace) -> Iterator[Row]:
    """Run this module as a program inside a network namespace, and yield the row that it prints."""
    require_network_namespaces()
    command = [*END_WITH_PARENT, "unshare", "--net", sys.executable, "-m", "faults.scenarios.network_partition"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    rows = 0
    try:
        for line in process.stdout:
            row = json.loads(line)
            rows += 1
            yield Row(**{**row, "result": Result(row["result"])})
    except BaseException:
        process.send_signal(signal.SIGINT)
        raise
    finally:
        status = process.wait(STOP_SECONDS)
        process.stdout.close()
    if status != 0 or rows == 0:
        raise RuntimeError(f"the partition test ended with status {status}, see above")


def partition_rows(workspace: Workspace) -> Iterator[Row]:
    """Cut the primary off in two ways alternately; this process must be in a network namespace of its own."""
    networks = Networks()

    def partitioned(replica_set: ReplicaSet, primary: Member, number: int) -> Undo:
        position = replica_set.members.index(primary)
        if number % 2:
            networks.isolate_from_members(position)
            return lambda: networks.reconnect_to_members(position)
        networks.isolate(position)
        return lambda: networks.reconnect(position)

    bare_seconds: list[float] = []

    def wait_beside_bare_driver(writer: ConcurrentWriter, fault: float, seconds: float) -> float | None:
        bare = BareDriver(replica_set.uri)
        with bare.writing():
            found = wait_for_first_acknowledged(writer, fault, seconds)
        if bare.seconds is not None:
            bare_seconds.append(bare.seconds)
            progress(f"a bare driver: after {bare.seconds:.1f} s")
        return found

    with networks.created(workspace) as configs:
        replica_set = ReplicaSet(workspace.mongod, configs)
        try:
            replica_set.start()
            installation = Installation(workspace.folder_for("partition"), replica_set.uri, "faults_partition")
            with installation.serving() as service:
                row = failover_row(
                    replica_set, installation, service, NAME, partitioned, wait_for_recovery=wait_beside_bare_driver
                )
                bare = f"; a bare driver {min(bare_seconds):.1f} to {max(bare_seconds):.1f} s" if bare_seconds else ""
                yield replace(row, measured=row.measured + bare)
        finally:
            replica_set.stop()


def main() -> None:
    """Print each row as a line of JSON."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="modeldeck-faults-", ignore_cleanup_errors=True) as folder:
        for row in partition_rows(Workspace(Path(folder))):
            print(json.dumps(asdict(row)), flush=True)


if __name__ == "__main__":
    main()
