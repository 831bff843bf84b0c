"""F1 to F4: how single writes are answered without a majority, with lost connections, and with database errors."""

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from faults.environment.member import Record
from faults.environment.replica_set import ReplicaSet
from faults.environment.service import (
    DEFAULT_URI_OPTIONS,
    SERVICE_CONNECTIONS,
    WEAKENING_URI_OPTIONS,
    Installation,
    Service,
)
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.scenarios.failover import RECOVERY_SECONDS
from faults.workload.ledger import REFUSALS
from faults.workload.sequential_writer import SequentialWriter, answer_text
from tests.support.commands import until

OUTCOME_UNKNOWN = re.compile(r"not known|unknown|may or may not|may have been", re.IGNORECASE)
READS = ("/api/models/list", "/api/models/export", "/api/me", "/health/live", "/health/ready")
CREATE_COMMANDS = ("find", "aggregate", "insert", "commitTransaction")
UPDATE_COMMANDS = ("find", "aggregate", "update", "insert", "commitTransaction")
COMMIT, RETRYABLE = "commitTransaction", "RetryableWriteError"
NETWORK_TIMEOUT, STEPPED_DOWN, INTERRUPTED = 89, 189, 11600
COMMIT_REPLY_LOST = {"code": NETWORK_TIMEOUT, "errmsg": "fault", "errorLabels": [RETRYABLE]}
RETRYABLE_TIMEOUT = {"errorCode": NETWORK_TIMEOUT, "errorLabels": [RETRYABLE]}
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class CommandFault:
    """How commands fail: `data` of a `failCommand` failpoint, for `commands` or else for each command of a write."""

    id: str
    test: str
    data: Record
    commands: tuple[str, ...] = ()


LOST_CONNECTIONS = (
    CommandFault("F2", "connection closed once, for each command of a write", {"closeConnection": True}),
    CommandFault(
        "F2", "commit applied but answered as failed, once", {"writeConcernError": COMMIT_REPLY_LOST}, (COMMIT,)
    ),
)
TRANSIENT_ERRORS = (
    CommandFault("F3", f"error {INTERRUPTED} once, for each command of a write", {"errorCode": INTERRUPTED}),
    CommandFault("F3", f"error {NETWORK_TIMEOUT} with {RETRYABLE} once, at the commit", RETRYABLE_TIMEOUT, (COMMIT,)),
)


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows for a default URI, then for one whose options weaken reads and writes."""
    with workspace.replica_set() as replica_set:
        for number, options in enumerate((DEFAULT_URI_OPTIONS, WEAKENING_URI_OPTIONS)):
            installation = Installation(
                workspace.folder_for("write-errors"), replica_set.uri + options, f"faults_write_errors_{number}"
            )
            with installation.serving() as service:
                for row in _rows(replica_set, installation, service, options):
                    progress(f"{row.id}: {row.measured}")
                    yield row


def _rows(replica_set: ReplicaSet, installation: Installation, service: Service, options: str) -> Iterator[Row]:
    note = " (weakening URI)" if options else ""
    yield from (retried_row(replica_set, service, fault, note) for fault in LOST_CONNECTIONS)
    # The options of the URI can't influence the other faults.
    if not options:
        yield no_majority_row(replica_set, installation, service)
        yield from (retried_row(replica_set, service, fault, note) for fault in TRANSIENT_ERRORS)
        yield persistent_error_row(replica_set, service)


def no_majority_row(replica_set: ReplicaSet, installation: Installation, service: Service) -> Row:
    """Write and read while no secondary replicates."""
    writer = SequentialWriter(service, "alone")
    known = writer.create()
    problems = [] if known.acknowledged else [f"before the fault: {answer_text(known)}"]
    with replica_set.replication_stopped():
        refused = []
        for attempt in (writer.create, lambda: writer.update(known)):
            refused.append(attempt())
            if refused[-1].status not in REFUSALS:
                problems.append(f"a write without a majority was answered {answer_text(refused[-1])}")
            elif not OUTCOME_UNKNOWN.search(writer.detail):
                problems.append(f"{refused[-1].status} does not say that the outcome is unknown: {writer.detail!r}")
        problems += read_problems(service)
    moment = time.monotonic()
    until(lambda: writer.create().acknowledged, "writes are acknowledged again", 60.0)
    seconds = time.monotonic() - moment
    problems += [f"recovery took {seconds:.1f} s"] if seconds > RECOVERY_SECONDS else []
    replica_set.wait_until_healthy()
    problems += writer.problems(replica_set) + installation.doctor_problems()
    measured = f"writes: {', '.join(map(answer_text, refused))}; writes again {seconds:.1f} s after it was over"
    must_hold = (
        "writes answered 503 or 504 in time and say that the outcome is unknown, reads work, "
        "the ledger finds no contradiction"
    )
    return checked_row("F1", "no majority (stopReplProducer on both secondaries)", measured, must_hold, problems)


def read_problems(service: Service) -> list[str]:
    """Return which reads are not answered 200."""
    problems = []
    with service.client(5.0) as client:
        for path in READS:
            try:
                status = client.get(path).status_code
            except httpx.HTTPError as error:
                problems.append(f"{path}: {type(error).__name__}")
            else:
                problems += [f"{path} was answered {status}"] if status != 200 else []
    return problems


def retried_row(replica_set: ReplicaSet, service: Service, fault: CommandFault, note: str) -> Row:
    """Let each command of a write fail once; the write must still be applied, once."""
    primary = replica_set.primary()
    writer = SequentialWriter(service, f"f{next(_numbers)}")
    known = writer.create()
    problems = [] if known.acknowledged else [f"before the fault: {answer_text(known)}"]
    for new, commands in ((True, CREATE_COMMANDS), (False, UPDATE_COMMANDS)):
        for command in fault.commands or commands:
            data = {"failCommands": [command], **SERVICE_CONNECTIONS, **fault.data}
            with primary.failpoint("failCommand", {"times": 1}, **data):
                attempt = writer.create() if new else writer.update(known)
            if not attempt.acknowledged:
                problems.append(f"{command} of {attempt}: {answer_text(attempt)}")
            known = attempt if attempt.acknowledged else writer.create()
    problems += writer.problems(replica_set)
    done = sum(attempt.acknowledged for attempt in writer.attempts[1:])
    slowest = max(attempt.seconds or 0.0 for attempt in writer.attempts)
    measured = f"{done} of {len(writer.attempts) - 1} writes done, the slowest after {slowest:.2f} s"
    return checked_row(fault.id, f"{fault.test}{note}", measured, "retried, applied once, answered 200", problems)


def persistent_error_row(replica_set: ReplicaSet, service: Service) -> Row:
    """Let a write fail each time with an error that the driver retries once."""
    primary = replica_set.primary()
    writer = SequentialWriter(service, "stays")
    answers, problems = [], []
    for command in ("insert", "commitTransaction"):
        data = {"failCommands": [command], **SERVICE_CONNECTIONS, "errorCode": STEPPED_DOWN}
        with primary.failpoint("failCommand", **data):
            attempt = writer.create()
        answers.append(f"{command}: {answer_text(attempt)}")
        if attempt.status not in REFUSALS:
            problems.append(answers[-1])
    until(lambda: writer.create().acknowledged, "writes are acknowledged again", 60.0)
    problems += writer.problems(replica_set)
    must_hold = "answered 503 or 504 in time, the ledger finds no contradiction, writes work again"
    return checked_row("F4", f"error {STEPPED_DOWN} that persists", "; ".join(answers), must_hold, problems)
