"""O5, O6: a service that is told to end, and probes while the database is away."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator

import httpx

from faults.alone import APP, alone
from faults.load import Answer, Asker, percentile
from faults.place import Place
from faults.replica_set import ReplicaSet
from faults.report import Row, judged, progress
from faults.services import Installation
from tests.support.commands import Served

LIVE, READY, LIST = "/health/live", "/health/ready", "/api/models/list"
IN_FLIGHT, BLOCK_MS = 100, 2_000
NOT_READY_SECONDS, EXIT_SECONDS = 1.0, 30.0
DOWN_SECONDS, LOOK_SECONDS = 60.0, 0.25
LIVE_SECONDS, TOLD_SECONDS, BACK_SECONDS = 0.05, 5.0, 15.0


def run(place: Place) -> Iterator[Row]:
    """Yield the rows."""
    with alone(place, "leaving", max_in_flight=str(IN_FLIGHT + 20)) as (replica_set, installation):
        yield _drained(replica_set, installation)
        yield _probed(replica_set, installation)


def _drained(replica_set: ReplicaSet, installation: Installation) -> Row:
    slow = {"failCommands": ["aggregate"], **APP, "blockConnection": True, "blockTimeMS": BLOCK_MS}
    with installation.serving() as service, replica_set.primary().failing("failCommand", **slow):
        answers, not_ready = asyncio.run(_told_to_end(service.served, service.key))
        began = time.monotonic()
        status = service.served.process.wait(60)
        seconds = time.monotonic() - began + not_ready + max(answer.seconds for answer in answers)
    complete = sum(answer.status == 200 for answer in answers)
    broken = [f"{IN_FLIGHT - complete} were not answered"] if complete < IN_FLIGHT else []
    broken += [f"not ready only after {not_ready:.1f} s"] if not_ready > NOT_READY_SECONDS else []
    broken += [f"exit status {status} after {seconds:.0f} s"] if status != 0 or seconds > EXIT_SECONDS else []
    measured = f"{complete} of {IN_FLIGHT} answered, not ready after {not_ready:.2f} s, ended within {seconds:.1f} s"
    must_hold = "all answered, not ready <= 1 s, exit <= 30 s"
    return judged("O5", f"SIGTERM with {IN_FLIGHT} requests in flight", measured, must_hold, broken)


async def _told_to_end(served: Served, key: str) -> tuple[list[Answer], float]:
    asker = Asker(served.url, LIST, key)
    asking = [asyncio.create_task(asker.ask()) for _ in range(IN_FLIGHT)]
    await asyncio.sleep(BLOCK_MS / 2000)
    served.process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    probe = Asker(served.url, READY, key)
    while (await probe.ask()).status == 200 and time.monotonic() - told < 2 * NOT_READY_SECONDS:
        pass
    not_ready = time.monotonic() - told
    return list(await asyncio.gather(*asking)), not_ready


def _probed(replica_set: ReplicaSet, installation: Installation) -> Row:
    [member] = replica_set.members
    with installation.serving() as service, httpx.Client(base_url=service.url, timeout=30) as client:
        _seconds_until(lambda: client.get(READY).status_code == 200, 10.0)
        member.kill()
        told = _seconds_until(lambda: client.get(READY).status_code == 503, 30.0)
        live, alive = _watched(client)
        member.start()
        back = _seconds_until(lambda: client.get(READY).status_code == 200, 60.0)
    seconds = percentile(live, 99)
    broken = [] if alive else ["not live"]
    broken += [f"live p99 {seconds * 1000:.0f} ms"] if seconds > LIVE_SECONDS else []
    broken += [f"not ready only after {told:.1f} s"] if told > TOLD_SECONDS else []
    broken += [f"ready only {back:.1f} s after mongod"] if back > BACK_SECONDS else []
    measured = f"live p99 {seconds * 1000:.1f} ms; not ready after {told:.1f} s, ready {back:.1f} s after its start"
    must_hold = "live 200, p99 < 50 ms; ready 503 <= 5 s, 200 <= 15 s after its return"
    return judged("O6", f"mongod is away for {DOWN_SECONDS:.0f} s", measured, must_hold, broken)


def _watched(client: httpx.Client) -> tuple[list[Answer], bool]:
    progress(f"O6: {DOWN_SECONDS:.0f} s without a database")
    answers, until = [], time.monotonic() + DOWN_SECONDS
    ready = True
    while time.monotonic() < until:
        began = time.monotonic()
        status = client.get(LIVE).status_code
        answers.append(Answer(status, None, time.monotonic() - began))
        ready = ready and client.get(READY).status_code == 503
        time.sleep(LOOK_SECONDS)
    return answers, ready and all(answer.status == 200 for answer in answers)


def _seconds_until(condition: Callable[[], bool], most: float) -> float:
    began = time.monotonic()
    while not condition() and time.monotonic() - began < most:
        time.sleep(0.05)
    return time.monotonic() - began
