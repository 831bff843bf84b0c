"""D2, the control of D1: a service that does not wait for a majority must be seen to lose writes.

Run as a program, it is that service: `python -m faults.scenarios.weak_write_concern serve`.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pymongo import WriteConcern

from faults.environment.member import END_WITH_PARENT
from faults.environment.service import ROOT, Installation
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.workload.concurrent_writer import ConcurrentWriter
from faults.workload.ledger import compare
from faults.workload.stored_state import stored_writes
from service.cli import main
from service.database import connection
from tests.support.commands import Processes, until

UNREPLICATED_SECONDS = 3.0
MUST_HOLD = "the ledger finds acknowledged writes lost; otherwise D1 proves nothing"


class WeakShell(Processes):
    """A command line of a service whose writes are acknowledged by the primary alone."""

    program = (*END_WITH_PARENT, sys.executable, "-m", "faults.scenarios.weak_write_concern")

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, **settings)
        self.environment["PYTHONPATH"] = str(ROOT)


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the row of the control."""
    with workspace.replica_set() as replica_set:
        installation = Installation(workspace.folder_for("control"), replica_set.uri, "faults_control")
        with installation.serving(shell=WeakShell(installation.folder, **installation.settings)) as service:
            writer = ConcurrentWriter(service.url, service.key, "control")
            with writer.writing():
                time.sleep(2.0)
                primary = replica_set.primary()
                with replica_set.replication_stopped():
                    moment = time.monotonic()
                    time.sleep(UNREPLICATED_SECONDS)
                    primary.kill()
                until(lambda: replica_set.primary() is not primary, "there is another primary", 60.0)
                primary.start()
                replica_set.wait_until_healthy()
                progress(f"D2: the replica set is healthy again after {time.monotonic() - moment:.1f} s")
        comparison = compare(writer.attempts, stored_writes(replica_set, installation.database, "control"))
    problems = [] if comparison.lost else ["the ledger found no lost write, so it proves nothing"]
    test = "control: as D1, with w:1 and secondaries that do not replicate (stopReplProducer), then kill -9"
    yield checked_row("D2", test, writer.summary(comparison), MUST_HOLD, problems)


def serve_weakly() -> None:
    """Run `modeldeck` with a driver that waits for the primary alone."""
    weak = {"w": 1, "journal": False, "retryWrites": True}
    client = vars(connection)["AsyncIOMotorClient"]

    def weak_client(*arguments: Any, **options: Any) -> Any:
        return client(*arguments, **{**options, **weak})

    # Transactions use the write concern of the client, all other writes that of the database.
    vars(connection).update(AsyncIOMotorClient=weak_client, MAJORITY=WriteConcern(w=1))
    main()


if __name__ == "__main__":
    serve_weakly()
