"""O5 and O6: graceful shutdown with requests in flight, and the health probes while the database is down."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator

import httpx

from faults.environment.replica_set import ReplicaSet
from faults.environment.service import SERVICE_CONNECTIONS, Installation, Service, single_member_installation
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.workload.http_load import Answer, RepeatedGet, percentile

LIVE, READY, LIST = "/health/live", "/health/ready", "/api/models/list"
IN_FLIGHT, BLOCK_MS = 100, 2_000
MAX_NOT_READY_SECONDS, MAX_EXIT_SECONDS = 1.0, 30.0
DOWN_SECONDS, PROBE_INTERVAL_SECONDS = 60.0, 0.25
MAX_LIVE_SECONDS, MAX_NOTICED_SECONDS, MAX_READY_AGAIN_SECONDS = 0.05, 5.0, 15.0


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows."""
    with single_member_installation(workspace, "shutdown", max_in_flight=str(IN_FLIGHT + 20)) as (
        replica_set,
        installation,
    ):
        yield _shutdown_row(replica_set, installation)
        yield _probes_row(replica_set, installation)


def _shutdown_row(replica_set: ReplicaSet, installation: Installation) -> Row:
    slow = {"failCommands": ["aggregate"], **SERVICE_CONNECTIONS, "blockConnection": True, "blockTimeMS": BLOCK_MS}
    with installation.serving() as service, replica_set.primary().failpoint("failCommand", **slow):
        answers, not_ready = asyncio.run(_shut_down(service))
        began = time.monotonic()
        status = service.served.process.wait(60)
        seconds = time.monotonic() - began + not_ready + max(answer.seconds for answer in answers)
    complete = sum(answer.status == 200 for answer in answers)
    problems = [f"{IN_FLIGHT - complete} were not answered"] if complete < IN_FLIGHT else []
    problems += [f"not ready only after {not_ready:.1f} s"] if not_ready > MAX_NOT_READY_SECONDS else []
    problems += [f"exit status {status} after {seconds:.0f} s"] if status != 0 or seconds > MAX_EXIT_SECONDS else []
    measured = f"{complete} of {IN_FLIGHT} answered, not ready after {not_ready:.2f} s, ended within {seconds:.1f} s"
    must_hold = "all answered, not ready within 1 s, exit within 30 s"
    return checked_row("O5", f"SIGTERM with {IN_FLIGHT} requests in flight", measured, must_hold, problems)


async def _shut_down(service: Service) -> tuple[list[Answer], float]:
    """Send requests, then SIGTERM; return the answers and the seconds until the service was not ready any more."""
    request = RepeatedGet(service.url, LIST, service.key)
    sending = [asyncio.create_task(request.send()) for _ in range(IN_FLIGHT)]
    await asyncio.sleep(BLOCK_MS / 2000)
    service.served.process.send_signal(signal.SIGTERM)
    terminated = time.monotonic()
    probe = RepeatedGet(service.url, READY, service.key)
    while (await probe.send()).status == 200 and time.monotonic() - terminated < 2 * MAX_NOT_READY_SECONDS:
        pass
    not_ready = time.monotonic() - terminated
    return list(await asyncio.gather(*sending)), not_ready


def _probes_row(replica_set: ReplicaSet, installation: Installation) -> Row:
    [member] = replica_set.members
    with installation.serving() as service, httpx.Client(base_url=service.url, timeout=30) as client:
        _seconds_until(lambda: client.get(READY).status_code == 200, 10.0)
        member.kill()
        noticed = _seconds_until(lambda: client.get(READY).status_code == 503, 30.0)
        live, as_expected = _probe_without_database(client)
        member.start()
        ready_again = _seconds_until(lambda: client.get(READY).status_code == 200, 60.0)
    seconds = percentile(live, 99)
    problems = [] if as_expected else ["not always live and not ready"]
    problems += [f"live p99 {seconds * 1000:.0f} ms"] if seconds > MAX_LIVE_SECONDS else []
    problems += [f"not ready only after {noticed:.1f} s"] if noticed > MAX_NOTICED_SECONDS else []
    problems += [f"ready only {ready_again:.1f} s after mongod"] if ready_again > MAX_READY_AGAIN_SECONDS else []
    measured = (
        f"live p99 {seconds * 1000:.1f} ms; not ready after {noticed:.1f} s, ready {ready_again:.1f} s after its start"
    )
    must_hold = "live: 200, p99 < 50 ms; ready: 503 within 5 s, 200 within 15 s after its start"
    return checked_row("O6", f"mongod is down for {DOWN_SECONDS:.0f} s", measured, must_hold, problems)


def _probe_without_database(client: httpx.Client) -> tuple[list[Answer], bool]:
    """Return the answers of the live probe, and whether the service was always live and not ready."""
    progress(f"O6: {DOWN_SECONDS:.0f} s without a database")
    answers, until = [], time.monotonic() + DOWN_SECONDS
    not_ready = True
    while time.monotonic() < until:
        began = time.monotonic()
        status = client.get(LIVE).status_code
        answers.append(Answer(status, None, time.monotonic() - began))
        not_ready = not_ready and client.get(READY).status_code == 503
        time.sleep(PROBE_INTERVAL_SECONDS)
    return answers, not_ready and all(answer.status == 200 for answer in answers)


def _seconds_until(condition: Callable[[], bool], limit: float) -> float:
    began = time.monotonic()
    while not condition() and time.monotonic() - began < limit:
        time.sleep(0.05)
    return time.monotonic() - began
