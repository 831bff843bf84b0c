"""D1: the primary is cut off, from everybody or from the other members only; in networks that are made for it."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from faults.bare import Bare
from faults.failover import FIRST, Undo, first_acknowledged, struck
from faults.members import BOUND, Member
from faults.networks import Networks, require_networks
from faults.place import Place
from faults.replica_set import ReplicaSet
from faults.report import Result, Row, progress
from faults.services import ROOT, Installation
from faults.writers import Writers

STOP_SECONDS = 60.0
NAME = f"partition of the primary, packets vanish (between it and all others, or only the other members; {FIRST})"


def run(_: Place) -> Iterator[Row]:
    """Yield the row that this module, run as a program inside a network namespace, prints as JSON."""
    require_networks()
    command = [*BOUND, "unshare", "--net", sys.executable, "-m", "faults.partition"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    rows = 0
    try:
        for line in process.stdout:
            told = json.loads(line)
            rows += 1
            yield Row(**{**told, "result": Result(told["result"])})
    except BaseException:
        process.send_signal(signal.SIGINT)
        raise
    finally:
        status = process.wait(STOP_SECONDS)
        process.stdout.close()
    if status != 0 or rows == 0:
        raise RuntimeError(f"the partition ended with status {status}, see above")


def inside(place: Place) -> Iterator[Row]:
    """Cut the primary off by turns in two ways, in a namespace of our own."""
    networks = Networks()

    def partitioned(replica_set: ReplicaSet, primary: Member, number: int) -> Undo:
        where = replica_set.members.index(primary)
        if number % 2:
            networks.part(where)
            return lambda: networks.part(where, again=True)
        networks.cut(where)
        return lambda: networks.mend(where)

    compare: list[float] = []

    def compared(writers: Writers, struck: float, seconds: float) -> float | None:
        bare = Bare(replica_set.uri)
        with bare.trying():
            found = first_acknowledged(writers, struck, seconds)
        if bare.seconds is not None:
            compare.append(bare.seconds)
            progress(f"a bare driver: after {bare.seconds:.1f} s")
        return found

    with networks.made(place) as homes:
        replica_set = ReplicaSet(place.mongod, homes)
        try:
            replica_set.begin()
            installation = Installation(place.folder_for("partition"), replica_set.uri, "faults_partition")
            with installation.serving() as service:
                row = struck(replica_set, installation, service, NAME, partitioned, recovered=compared)
                bare = f"; a bare driver {min(compare):.1f} to {max(compare):.1f} s" if compare else ""
                yield replace(row, measured=row.measured + bare)
        finally:
            replica_set.stop()


def main() -> None:
    """Print each row as a line of JSON."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="modeldeck-faults-", ignore_cleanup_errors=True) as folder:
        for row in inside(Place(Path(folder))):
            print(json.dumps(asdict(row)), flush=True)


if __name__ == "__main__":
    main()
