"""O1, O2: more requests than can be answered, and a database that is too slow: who is refused, and how fast."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

from faults.alone import APP, alone, resident_mb
from faults.load import Answer, Asker, at_rate, by_clients, percentile, selected
from faults.place import Place
from faults.replica_set import ReplicaSet
from faults.report import Row, judged, progress
from faults.services import Service

LIST = "/api/models/list"
SLOW = {"failCommands": ["aggregate", "find"], **APP, "blockConnection": True}
BLOCK_MS, HANG_MS = 300, 12_000
MOST_IN_FLIGHT = 64
CALIBRATION_SECONDS, FLOOD_SECONDS, TIMES = 8.0, 60.0, 5
ACCEPTED_SECONDS, REFUSED_SECONDS, GOODPUT, GROWTH = 2.0, 0.1, 0.8, 1.2
LIST_DEADLINE, DEADLINE, LATE = 5.0, 10.0, 0.5
LOOKS = ((LIST, LIST_DEADLINE), ("/api/me", DEADLINE))


def run(place: Place) -> Iterator[Row]:
    """Yield the rows."""
    with (
        alone(place, "overload", max_in_flight=str(MOST_IN_FLIGHT)) as (replica_set, installation),
        installation.serving() as service,
    ):
        yield _shed(replica_set, service)
        yield from _overdue(replica_set, service)


def _shed(replica_set: ReplicaSet, service: Service) -> Row:
    asker = Asker(service.url, LIST, service.key)
    with replica_set.primary().failing("failCommand", **SLOW, blockTimeMS=BLOCK_MS):
        able, answers, before, after = asyncio.run(_flooded(asker, service))
    accepted, refused = selected(answers, lambda status: status == 200), selected(answers, lambda status: status == 503)
    goodput = len(accepted) / FLOOD_SECONDS / able
    others = Counter(answer.status for answer in answers if answer.status not in (200, 503))
    broken = [f"{count} answers have the status {status or 'none'}" for status, count in others.items()]
    broken += [] if all(answer.retry_after for answer in refused) else ["a refusal has no Retry-After"]
    for condition, said in (
        (len(refused) > len(accepted), "hardly any was refused: the flood was none"),
        (percentile(accepted, 99) <= ACCEPTED_SECONDS, "accepted ones were slow"),
        (percentile(refused, 99) <= REFUSED_SECONDS, "refusals were slow"),
        (goodput >= GOODPUT, "fewer were answered than without the flood"),
        (after <= before * GROWTH, "the memory grew"),
    ):
        broken += [] if condition else [said]
    measured = (
        f"{able:.0f} a second possible, {able * TIMES:.0f} sent: {len(accepted)} answered, p99 "
        f"{percentile(accepted, 99):.2f} s; {len(refused)} refused, p99 {percentile(refused, 99) * 1000:.0f} ms, "
        f"slowest {percentile(refused, 100) * 1000:.0f} ms; goodput {goodput:.0%}; "
        f"memory {before:.0f} to {after:.0f} MB"
    )
    must_hold = "accepted p99 <= 2 s; all others 503 with Retry-After, p99 <= 100 ms; goodput >= 80 %; memory + < 20 %"
    return judged("O1", f"calls block for {BLOCK_MS} ms, {TIMES} x capacity for 60 s", measured, must_hold, broken)


async def _flooded(asker: Asker, service: Service) -> tuple[float, list[Answer], float, float]:
    # What it can do, with as many clients as it lets in: the first seconds open connections and start threads.
    await by_clients(asker, MOST_IN_FLIGHT, 2.0)
    answered = await by_clients(asker, MOST_IN_FLIGHT, CALIBRATION_SECONDS)
    able = len(selected(answered, lambda status: status == 200)) / CALIBRATION_SECONDS
    before = resident_mb(service.served)
    progress(f"O1: {able:.0f} a second are possible")
    answers = await at_rate(asker, able * TIMES, FLOOD_SECONDS)
    asker.close()
    return able, answers, before, resident_mb(service.served)


def _overdue(replica_set: ReplicaSet, service: Service) -> Iterator[Row]:
    primary = replica_set.primary()
    with primary.failing("failCommand", **SLOW, blockTimeMS=HANG_MS):
        answers = asyncio.run(_all_ask(service))
    yield _answered(service, f"each call blocks for {HANG_MS // 1000} s", answers)
    primary.pause()
    try:
        answers = asyncio.run(_all_ask(service))
    finally:
        primary.resume()
    yield _answered(service, "mongod hangs (SIGSTOP)", answers)


async def _all_ask(service: Service) -> list[list[Answer]]:
    askers = [Asker(service.url, path, service.key) for path, _ in LOOKS]
    answers = [asyncio.gather(*(asker.ask() for _ in range(MOST_IN_FLIGHT // 2))) for asker in askers]
    return [list(await each) for each in answers]


def _answered(service: Service, what: str, answers: Sequence[Sequence[Answer]]) -> Row:
    asker = Asker(service.url, LIST, service.key)
    healed = asyncio.run(by_clients(asker, 8, 5.0))
    broken = []
    for (path, deadline), got in zip(LOOKS, answers, strict=True):
        if any(answer.seconds > deadline + LATE or answer.status not in (503, 504) for answer in got):
            broken.append(f"{path}: {sorted({answer.status for answer in got})}, {percentile(got, 100):.2f} s")
    well = selected(healed, lambda status: status == 200)
    slow = percentile(well, 99)
    broken += [] if well and slow <= DEADLINE else [f"afterwards: p99 {slow:.2f} s of {len(well)}"]
    measured = ", ".join(
        f"{path}: {len(got)} answered, the last after {percentile(got, 100):.2f} s"
        for (path, _), got in zip(LOOKS, answers, strict=True)
    )
    must_hold = "503 or 504 by the deadline (list 5 s, others 10 s) + 0.5 s; p99 <= 10 s right afterwards"
    return judged("O2", what, f"{measured}; afterwards p99 {slow:.2f} s", must_hold, broken)
