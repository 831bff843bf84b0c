"""D1: the primary is killed, steps down or hangs, several times, at a hundred writes a second."""

import os
import time
from collections.abc import Callable, Iterator, Sequence

from faults.environment.member import Member
from faults.environment.replica_set import ReplicaSet, step_down
from faults.environment.service import Installation, Service
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.workload.concurrent_writer import POLL_SECONDS, ConcurrentWriter
from faults.workload.ledger import MAX_ANSWER_SECONDS, answer_problems, compare
from faults.workload.stored_state import stored_writes

TIMES = 5
BEFORE_SECONDS, AFTER_SECONDS = 2.0, 4.0
FIRST = "recovery: the first write acknowledged"
RECOVERY_SECONDS = 15.0
# A service that never recovers fails after this time, so that the test ends.
GIVE_UP_SECONDS = 45.0
MUST_HOLD = (
    f"0 acknowledged writes lost, none applied twice, only 2xx, 503 or 504, each answer within {MAX_ANSWER_SECONDS} s, "
    f"recovery within {RECOVERY_SECONDS:.0f} s, the doctor reports nothing"
)

Undo = Callable[[], None]
# Injects a fault into the primary of a replica set, given how often that was done before; returns how to undo it.
Fault = Callable[[ReplicaSet, Member, int], Undo]
# Waits for the recovery from a fault that began at a time, for some seconds at most; returns how long it took.
WaitForRecovery = Callable[[ConcurrentWriter, float, float], float | None]


def killed(_: ReplicaSet, primary: Member, _number: int) -> Undo:
    """Kill the primary, as a crash would."""
    primary.kill()
    return primary.start


def stepped_down(_: ReplicaSet, primary: Member, _number: int) -> Undo:
    """Have the primary step down, as for maintenance."""
    step_down(primary)
    return lambda: None


def hung(_: ReplicaSet, primary: Member, _number: int) -> Undo:
    """Let the primary hang with its connections open."""
    primary.pause()
    return primary.resume


HUNG = f"SIGSTOP of the primary ({FIRST})"


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield a row for each kind of fault."""
    with workspace.replica_set() as replica_set:
        installation = Installation(workspace.folder_for("failover"), replica_set.uri, "faults_failover")
        with installation.serving() as service:
            yield failover_row(replica_set, installation, service, "kill -9 of the primary", killed)
            yield failover_row(replica_set, installation, service, "step-down of the primary", stepped_down)
            yield failover_row(
                replica_set, installation, service, HUNG, hung, wait_for_recovery=wait_for_first_acknowledged
            )


def wait_for_first_acknowledged(writer: ConcurrentWriter, fault: float, seconds: float) -> float | None:
    """Wait for one acknowledged write instead of a steady rate.

    After these faults, the members learn of each other's progress only every second or two for half a minute.
    """
    deadline = fault + seconds
    while (found := writer.first_acknowledged(fault)) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    time.sleep(AFTER_SECONDS)
    return found


def failover_row(
    replica_set: ReplicaSet,
    installation: Installation,
    service: Service,
    name: str,
    fault: Fault,
    *,
    wait_for_recovery: WaitForRecovery = ConcurrentWriter.wait_for_recovery,
) -> Row:
    """Inject a fault into the primary several times during writes, and compare the answers with what is stored."""
    prefix = fault.__name__
    writer = ConcurrentWriter(service.url, service.key, prefix)
    firsts, recoveries = [], []
    with writer.writing():
        for number in range(TIMES):
            first, recovery = _inject(replica_set, writer, fault, wait_for_recovery, number)
            firsts.append(first)
            recoveries.append(recovery)
            progress(
                f"D1 {name}, {number + 1} of {TIMES}: first write after {first:.1f} s, "
                f"recovery after {recovery:.1f} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            )
    replica_set.wait_until_healthy()
    comparison = compare(writer.attempts, stored_writes(replica_set, installation.database, prefix))
    problems = [*comparison.problems, *answer_problems(writer.attempts), *installation.doctor_problems()]
    problems += [f"recovery took {seconds:.1f} s" for seconds in recoveries if seconds > RECOVERY_SECONDS]
    measured = f"{writer.summary(comparison)}; first write acknowledged {_range(firsts)}, recovery {_range(recoveries)}"
    return checked_row("D1", f"{name}, {TIMES} times, at 100 writes a second", measured, MUST_HOLD, problems)


def _inject(
    replica_set: ReplicaSet, writer: ConcurrentWriter, fault: Fault, wait_for_recovery: WaitForRecovery, number: int
) -> tuple[float, float]:
    """Inject the fault once; return the seconds until the first acknowledged write and until the recovery."""
    time.sleep(BEFORE_SECONDS)
    primary = replica_set.primary()
    moment = time.monotonic()
    undo = fault(replica_set, primary, number)
    try:
        recovery = wait_for_recovery(writer, moment, GIVE_UP_SECONDS)
    finally:
        first = writer.first_acknowledged(moment)
        undo()
    replica_set.wait_until_healthy()
    return (GIVE_UP_SECONDS if first is None else first), (GIVE_UP_SECONDS if recovery is None else recovery)


def _range(seconds: Sequence[float]) -> str:
    return f"after {min(seconds):.1f} to {max(seconds):.1f} s"
