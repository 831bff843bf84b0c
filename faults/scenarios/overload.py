"""O1 and O2: more requests than the service can answer, and a database that is slow or hangs."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

from faults.environment.replica_set import ReplicaSet
from faults.environment.service import SERVICE_CONNECTIONS, Service, single_member_installation
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.workload.http_load import Answer, RepeatedGet, percentile, send_at_rate, send_from_clients, with_status

LIST = "/api/models/list"
SLOW_READS = {"failCommands": ["aggregate", "find"], **SERVICE_CONNECTIONS, "blockConnection": True}
BLOCK_MS, HANG_MS = 300, 12_000
MAX_IN_FLIGHT = 64
CALIBRATION_SECONDS, OVERLOAD_SECONDS, OVERLOAD_FACTOR = 8.0, 60.0, 5
MAX_ACCEPTED_SECONDS, MAX_REFUSED_SECONDS, MIN_GOODPUT, MAX_MEMORY_FACTOR = 2.0, 0.1, 0.8, 1.2
LIST_DEADLINE, DEADLINE, DEADLINE_MARGIN = 5.0, 10.0, 0.5
DEADLINES = ((LIST, LIST_DEADLINE), ("/api/me", DEADLINE))


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows."""
    with (
        single_member_installation(workspace, "overload", max_in_flight=str(MAX_IN_FLIGHT)) as (
            replica_set,
            installation,
        ),
        installation.serving() as service,
    ):
        yield _overload_row(replica_set, service)
        yield from _hanging_database_rows(replica_set, service)


def _overload_row(replica_set: ReplicaSet, service: Service) -> Row:
    request = RepeatedGet(service.url, LIST, service.key)
    with replica_set.primary().failpoint("failCommand", **SLOW_READS, blockTimeMS=BLOCK_MS):
        capacity, answers, before, after = asyncio.run(_overload(request, service))
    accepted = with_status(answers, lambda status: status == 200)
    refused = with_status(answers, lambda status: status == 503)
    goodput = len(accepted) / OVERLOAD_SECONDS / capacity
    others = Counter(answer.status for answer in answers if answer.status not in (200, 503))
    problems = [f"{count} answers have the status {status or 'none'}" for status, count in others.items()]
    problems += [] if all(answer.retry_after for answer in refused) else ["a refusal has no Retry-After"]
    for holds, problem in (
        (len(refused) > len(accepted), "most requests were accepted: there was no overload"),
        (percentile(accepted, 99) <= MAX_ACCEPTED_SECONDS, "accepted requests were slow"),
        (percentile(refused, 99) <= MAX_REFUSED_SECONDS, "refusals were slow"),
        (goodput >= MIN_GOODPUT, "fewer requests were answered than without the overload"),
        (after <= before * MAX_MEMORY_FACTOR, "the memory grew"),
    ):
        problems += [] if holds else [problem]
    measured = (
        f"{capacity:.0f} a second possible, {capacity * OVERLOAD_FACTOR:.0f} sent: {len(accepted)} answered, p99 "
        f"{percentile(accepted, 99):.2f} s; {len(refused)} refused, p99 {percentile(refused, 99) * 1000:.0f} ms, "
        f"slowest {percentile(refused, 100) * 1000:.0f} ms; goodput {goodput:.0%}; "
        f"memory {before:.0f} to {after:.0f} MB"
    )
    must_hold = "accepted p99 <= 2 s; all others 503 with Retry-After, p99 <= 100 ms; goodput >= 80 %; memory + < 20 %"
    test = f"database calls block for {BLOCK_MS} ms, {OVERLOAD_FACTOR} x capacity for 60 s"
    return checked_row("O1", test, measured, must_hold, problems)


async def _overload(request: RepeatedGet, service: Service) -> tuple[float, list[Answer], float, float]:
    """Return the requests a second that are possible, the answers in overload, and the memory before and after."""
    # Measure the capacity with as many clients as the concurrency limit allows. The first seconds don't count: then
    # connections are opened and threads started.
    await send_from_clients(request, MAX_IN_FLIGHT, 2.0)
    answered = await send_from_clients(request, MAX_IN_FLIGHT, CALIBRATION_SECONDS)
    capacity = len(with_status(answered, lambda status: status == 200)) / CALIBRATION_SECONDS
    before = service.resident_mb()
    progress(f"O1: {capacity:.0f} a second are possible")
    answers = await send_at_rate(request, capacity * OVERLOAD_FACTOR, OVERLOAD_SECONDS)
    request.close()
    return capacity, answers, before, service.resident_mb()


def _hanging_database_rows(replica_set: ReplicaSet, service: Service) -> Iterator[Row]:
    primary = replica_set.primary()
    with primary.failpoint("failCommand", **SLOW_READS, blockTimeMS=HANG_MS):
        answers = asyncio.run(_send_to_each_route(service))
    yield _deadline_row(service, f"each database call blocks for {HANG_MS // 1000} s", answers)
    primary.pause()
    try:
        answers = asyncio.run(_send_to_each_route(service))
    finally:
        primary.resume()
    yield _deadline_row(service, "mongod hangs (SIGSTOP)", answers)


async def _send_to_each_route(service: Service) -> list[list[Answer]]:
    requests = [RepeatedGet(service.url, path, service.key) for path, _ in DEADLINES]
    sending = [asyncio.gather(*(request.send() for _ in range(MAX_IN_FLIGHT // 2))) for request in requests]
    return [list(await answers) for answers in sending]


def _deadline_row(service: Service, test: str, answers: Sequence[Sequence[Answer]]) -> Row:
    request = RepeatedGet(service.url, LIST, service.key)
    afterwards = asyncio.run(send_from_clients(request, 8, 5.0))
    problems = []
    for (path, deadline), got in zip(DEADLINES, answers, strict=True):
        if any(answer.seconds > deadline + DEADLINE_MARGIN or answer.status not in (503, 504) for answer in got):
            problems.append(f"{path}: {sorted({answer.status for answer in got})}, {percentile(got, 100):.2f} s")
    successful = with_status(afterwards, lambda status: status == 200)
    slow = percentile(successful, 99)
    problems += [] if successful and slow <= DEADLINE else [f"afterwards: p99 {slow:.2f} s of {len(successful)}"]
    measured = ", ".join(
        f"{path}: {len(got)} answered, the last after {percentile(got, 100):.2f} s"
        for (path, _), got in zip(DEADLINES, answers, strict=True)
    )
    must_hold = "503 or 504 by the deadline (list 5 s, others 10 s) + 0.5 s; p99 <= 10 s right afterwards"
    return checked_row("O2", test, f"{measured}; afterwards p99 {slow:.2f} s", must_hold, problems)
