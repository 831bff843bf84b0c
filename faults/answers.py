"""F1 to F4: no majority, lost connections, errors that pass and errors that stay: what single writes are answered."""

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from faults.failover import RECOVERY_SECONDS, REFUSALS
from faults.members import Record
from faults.place import Place
from faults.reads import PLAIN, WEAKENING, asked
from faults.replica_set import ReplicaSet
from faults.report import Row, judged, progress
from faults.services import Installation, Service
from faults.single import Single, answered, late
from tests.support.commands import until

UNKNOWN = re.compile(r"not known|unknown|may or may not|may have been", re.IGNORECASE)
APP = {"appName": "modeldeck"}
CREATING = ("find", "aggregate", "insert", "commitTransaction")
UPDATING = ("find", "aggregate", "update", "insert", "commitTransaction")
COMMIT, RETRYABLE = "commitTransaction", "RetryableWriteError"
NETWORK_TIMEOUT, STEPPED_DOWN, INTERRUPTED = 89, 189, 11600
UNHEARD = {"code": NETWORK_TIMEOUT, "errmsg": "fault", "errorLabels": [RETRYABLE]}
LABELLED = {"errorCode": NETWORK_TIMEOUT, "errorLabels": [RETRYABLE]}
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Fault:
    """What a command fails with; without `commands`, each one that a write is made of."""

    id: str
    test: str
    data: Record
    commands: tuple[str, ...] = ()


LOST = (
    Fault("F2", "connection closed once, for each command of a write", {"closeConnection": True}),
    Fault("F2", "commit applied but answered as failed, once", {"writeConcernError": UNHEARD}, (COMMIT,)),
)
PASSING = (
    Fault("F3", f"error {INTERRUPTED} once, for each command of a write", {"errorCode": INTERRUPTED}),
    Fault("F3", f"error {NETWORK_TIMEOUT} with {RETRYABLE} once, at the commit", LABELLED, (COMMIT,)),
)


def run(place: Place) -> Iterator[Row]:
    """Yield the rows for a plain URI, then for one that asks for less."""
    with place.replica_set() as replica_set:
        for number, options in enumerate((PLAIN, WEAKENING)):
            installation = Installation(
                place.folder_for("answers"), replica_set.uri + options, f"faults_answers_{number}"
            )
            with installation.serving() as service:
                for row in _rows(replica_set, installation, service, options):
                    progress(f"{row.id}: {row.measured}")
                    yield row


def _rows(replica_set: ReplicaSet, installation: Installation, service: Service, options: str) -> Iterator[Row]:
    note = " (weakening URI)" if options else ""
    yield from (retried(replica_set, service, fault, note) for fault in LOST)
    # Of what follows, nothing could depend on the URI.
    if not options:
        yield no_majority(replica_set, installation, service)
        yield from (retried(replica_set, service, fault, note) for fault in PASSING)
        yield lasting(replica_set, service)


def no_majority(replica_set: ReplicaSet, installation: Installation, service: Service) -> Row:
    """Write while no secondary follows, and read all the same."""
    writer = Single(service, "alone")
    known = writer.create()
    broken = [] if known.acknowledged else [f"before: {answered(known)}"]
    with replica_set.unfollowed():
        refused = []
        for attempt in (writer.create, lambda: writer.update(known)):
            refused.append(attempt())
            if refused[-1].status not in REFUSALS:
                broken.append(f"a write without a majority was answered {answered(refused[-1])}")
            elif not UNKNOWN.search(writer.detail):
                broken.append(f"{refused[-1].status} does not say that the outcome is unknown: {writer.detail!r}")
        broken += asked(service)
    moment = time.monotonic()
    until(lambda: writer.create().acknowledged, "writes are acknowledged again", 60.0)
    seconds = time.monotonic() - moment
    broken += [f"recovery took {seconds:.1f} s"] if seconds > RECOVERY_SECONDS else []
    replica_set.whole()
    broken += writer.broken(replica_set) + installation.problems()
    measured = f"writes: {', '.join(map(answered, refused))}; writes again {seconds:.1f} s after it was over"
    must_hold = "writes 503 or 504 in time and say that the outcome is unknown, reads work, the ledger agrees"
    return judged("F1", "no majority (stopReplProducer on both secondaries)", measured, must_hold, broken)


def retried(replica_set: ReplicaSet, service: Service, fault: Fault, note: str) -> Row:
    """Let each command that a write is made of fail once; the write must be done all the same, once."""
    primary = replica_set.primary()
    writer = Single(service, f"f{next(_numbers)}")
    known = writer.create()
    broken = [] if known.acknowledged else [f"before: {answered(known)}"]
    for new, commands in ((True, CREATING), (False, UPDATING)):
        for command in fault.commands or commands:
            data = {"failCommands": [command], **APP, **fault.data}
            with primary.failing("failCommand", {"times": 1}, **data):
                attempt = writer.create() if new else writer.update(known)
            if not attempt.acknowledged:
                broken.append(f"{command} of {attempt}: {answered(attempt)}")
            known = attempt if attempt.acknowledged else writer.create()
    broken += writer.broken(replica_set)
    done = sum(attempt.acknowledged for attempt in writer.attempts[1:])
    slowest = max(attempt.seconds or 0.0 for attempt in writer.attempts)
    measured = f"{done} of {len(writer.attempts) - 1} writes done, the slowest after {slowest:.2f} s"
    return judged(fault.id, f"{fault.test}{note}", measured, "retried, applied once, answered 200", broken)


def lasting(replica_set: ReplicaSet, service: Service) -> Row:
    """Let a write fail for good with an error that the driver retries once."""
    primary = replica_set.primary()
    writer = Single(service, "stays")
    told, broken = [], []
    for command in ("insert", "commitTransaction"):
        data = {"failCommands": [command], **APP, "errorCode": STEPPED_DOWN}
        with primary.failing("failCommand", **data):
            attempt = writer.create()
        told.append(f"{command}: {answered(attempt)}")
        if attempt.status not in REFUSALS:
            broken.append(told[-1])
    until(lambda: writer.create().acknowledged, "writes are acknowledged again", 60.0)
    broken += writer.broken(replica_set) + late(writer.attempts)
    must_hold = "503 or 504 in time, the ledger agrees, writes work again"
    return judged("F4", f"error {STEPPED_DOWN} that does not pass", "; ".join(told), must_hold, broken)
