"""D1: the primary dies, steps down or hangs, again and again, under a hundred writes a second."""

import os
import time
from collections.abc import Callable, Iterator, Sequence

from faults.ledger import Attempt, Verdict, judge, slowest, statuses
from faults.members import Member
from faults.place import Place
from faults.replica_set import ReplicaSet, step_down
from faults.report import Row, judged, progress
from faults.services import REQUEST_SECONDS, Installation, Service, stored
from faults.writers import POLL_SECONDS, Writers

TIMES = 5
BEFORE_SECONDS, AFTER_SECONDS = 2.0, 4.0
FIRST = "recovery: the first write acknowledged"
RECOVERY_SECONDS = 15.0
LATE_SECONDS = REQUEST_SECONDS + 0.5
# So that one that never recovers is measured, not waited for.
MOST_SECONDS = 45.0
REFUSALS = {503, 504}
MUST_HOLD = (
    f"0 acknowledged writes lost, none applied twice, only 2xx, 503 or 504, no answer after {LATE_SECONDS} s, "
    f"recovery within {RECOVERY_SECONDS:.0f} s, the doctor finds nothing"
)

Undo = Callable[[], None]
# Strikes the primary of a replica set and returns how to undo it; it is told how often that was done before.
Blow = Callable[[ReplicaSet, Member, int], Undo]
# Waits, for some seconds at most, until writes go on after a blow.
Recovered = Callable[[Writers, float, float], float | None]


def killed(_: ReplicaSet, primary: Member, _number: int) -> Undo:
    """Kill the primary, as a crash would."""
    primary.kill()
    return primary.start


def stepped_down(_: ReplicaSet, primary: Member, _number: int) -> Undo:
    """Have the primary give its place up, as maintenance does."""
    step_down(primary)
    return lambda: None


def hung(_: ReplicaSet, primary: Member, _number: int) -> Undo:
    """Let the primary hang with its connections open."""
    primary.pause()
    return primary.resume


HUNG = f"SIGSTOP of the primary ({FIRST})"


def run(place: Place) -> Iterator[Row]:
    """Yield a row for each kind of blow."""
    with place.replica_set() as replica_set:
        installation = Installation(place.folder_for("failover"), replica_set.uri, "faults_failover")
        with installation.serving() as service:
            yield struck(replica_set, installation, service, "kill -9 of the primary", killed)
            yield struck(replica_set, installation, service, "step-down of the primary", stepped_down)
            yield struck(replica_set, installation, service, HUNG, hung, recovered=first_acknowledged)


def first_acknowledged(writers: Writers, struck: float, seconds: float) -> float | None:
    """Wait for one acknowledged write: for half a minute from then on, the members hear of each other slowly."""
    deadline = struck + seconds
    while (found := writers.first(struck)) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    time.sleep(AFTER_SECONDS)
    return found


def struck(
    replica_set: ReplicaSet,
    installation: Installation,
    service: Service,
    name: str,
    blow: Blow,
    *,
    recovered: Recovered = Writers.recovered,
) -> Row:
    """Strike the primary several times under writes, and judge what was answered.

    `recovered` waits for the end of what the blow has done, and says after how many seconds it came.
    """
    prefix = blow.__name__
    writers = Writers(service.url, service.key, prefix)
    firsts, recoveries = [], []
    with writers.writing():
        for number in range(TIMES):
            first, recovery = _strike(replica_set, writers, blow, recovered, number)
            firsts.append(first)
            recoveries.append(recovery)
            progress(
                f"D1 {name}, {number + 1} of {TIMES}: first write after {first:.1f} s, "
                f"recovery after {recovery:.1f} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
            )
    replica_set.whole()
    verdict = judge(writers.attempts, stored(replica_set, installation.database, prefix))
    problems = installation.problems()
    broken = [*verdict.broken, *answers_broken(writers.attempts), *problems]
    broken += [f"recovery took {seconds:.1f} s" for seconds in recoveries if seconds > RECOVERY_SECONDS]
    measured = f"{told(writers, verdict)}; first write acknowledged {_span(firsts)}, recovery {_span(recoveries)}"
    return judged("D1", f"{name}, {TIMES} times, at 100 writes a second", measured, MUST_HOLD, broken)


def _strike(
    replica_set: ReplicaSet, writers: Writers, blow: Blow, recovered: Recovered, number: int
) -> tuple[float, float]:
    time.sleep(BEFORE_SECONDS)
    primary = replica_set.primary()
    moment = time.monotonic()
    undo = blow(replica_set, primary, number)
    try:
        seconds = recovered(writers, moment, MOST_SECONDS)
    finally:
        first = writers.first(moment)
        undo()
    replica_set.whole()
    return (MOST_SECONDS if first is None else first), (MOST_SECONDS if seconds is None else seconds)


def _span(seconds: Sequence[float]) -> str:
    return f"after {min(seconds):.1f} to {max(seconds):.1f} s"


def answers_broken(attempts: list[Attempt]) -> list[str]:
    """Return what is wrong with the answers themselves."""
    wrong = {status: count for status, count in statuses(attempts).items() if not _allowed(status)}
    broken = [f"{count:,} answered {status or 'not at all'}" for status, count in wrong.items()]
    late = sum((attempt.seconds or 0.0) > LATE_SECONDS for attempt in attempts)
    return broken + ([f"{late:,} answered after {LATE_SECONDS} s, the last {slowest(attempts):.1f} s"] if late else [])


def _allowed(status: int | None) -> bool:
    return status is not None and (200 <= status < 300 or status in REFUSALS)


def told(writers: Writers, verdict: Verdict) -> str:
    """Return what was measured of the writes."""
    refused = [
        f"{count:,} × {status or 'no answer'}"
        for status, count in sorted(statuses(writers.attempts).items(), key=lambda item: str(item[0]))
        if status is None or status >= 300
    ]
    lost = len({told.split()[0] for told in verdict.lost})
    return (
        f"{lost:,} of {verdict.acknowledged:,} acknowledged lost, {len(verdict.duplicated):,} applied twice; "
        f"refused: {', '.join(refused) or 'none'} ({verdict.unknown_applied:,} of them applied all the same); "
        f"slowest answer {slowest(writers.attempts):.1f} s, measured to {writers.lag:.1f} s"
    )
