"""D4, D5: many who change one model, and models that are changed while they are deleted."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx

from faults.alone import alone
from faults.place import Place
from faults.report import Row, judged
from faults.services import Installation, Service

MODEL, CREATE = "/api/models/model", "/api/models/create"
UPDATE, DELETE = f"{MODEL}/update", f"{MODEL}/delete"
CLIENTS, UPDATES = 50, 20
PAIRS, AT_ONCE = 1_000, 20
WORKERS = 2


def run(place: Place) -> Iterator[Row]:
    """Yield the rows."""
    with (
        alone(place, "contention", max_in_flight="200") as (_, installation),
        installation.serving("--workers", str(WORKERS)) as service,
    ):
        asyncio.run(_answering(service))
        yield asyncio.run(_lost_updates(service))
        yield asyncio.run(_resurrected(service, installation))


def _client(service: Service) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {service.key}"}
    limits = httpx.Limits(max_connections=CLIENTS)
    return httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60, trust_env=False, limits=limits)


async def _answering(service: Service) -> None:
    # With several workers, the service is announced before they listen.
    async with _client(service) as client:
        for _ in range(300):
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError


async def _lost_updates(service: Service) -> Row:
    statuses: Counter[int] = Counter()
    async with _client(service) as client:
        (await client.post(CREATE, json={"id": "wanted", "name": "0"})).raise_for_status()

        async def one(number: int) -> None:
            for turn in range(UPDATES):
                etag = (await client.get(MODEL, params={"id": "wanted"})).headers["ETag"]
                body = {"id": "wanted", "name": f"{number}-{turn}"}
                statuses[(await client.post(UPDATE, json=body, headers={"If-Match": etag})).status_code] += 1

        await asyncio.gather(*(one(number) for number in range(CLIENTS)))
        version = (await client.get(MODEL, params={"id": "wanted"})).json()["version"]
        history = (await client.get(f"{MODEL}/history", params={"id": "wanted"})).json()["total"]
    done = statuses.pop(200, 0)
    stale = statuses.pop(412, 0)
    broken = [f"version {version} after {done} updates"] if version != 1 + done else []
    broken += [f"{history} revisions"] if history != version else []
    broken += [f"{count} answers {status}" for status, count in statuses.items()]
    broken += [] if stale else ["nobody was too late: they did not meet"]
    measured = f"{done} of {CLIENTS * UPDATES} updates done, {stale} answered 412; version {version}"
    must_hold = "the version has grown by what was done; all others 412"
    test = f"{CLIENTS} clients x {UPDATES} updates with If-Match of one model, {WORKERS} workers"
    return judged("D4", test, measured, must_hold, broken)


async def _resurrected(service: Service, installation: Installation) -> Row:
    seen: Counter[tuple[int, int]] = Counter()
    turns = asyncio.Semaphore(AT_ONCE)
    async with _client(service) as client:

        async def pair(number: int) -> None:
            body = {"id": f"pair-{number}", "name": "Before"}
            async with turns:
                (await client.post(CREATE, json=body)).raise_for_status()
                update = client.post(UPDATE, json={**body, "name": "After"})
                delete = client.post(DELETE, json={"id": body["id"]})
                first, second = (update, delete) if number % 2 else (delete, update)
                answers = await asyncio.gather(first, second)
                updated, deleted = answers if number % 2 else reversed(answers)
                seen[updated.status_code, deleted.status_code] += 1

        await asyncio.gather(*(pair(number) for number in range(PAIRS)))
        left = (await client.get("/api/models/list", params={"query": "After"})).json()["total"]
        left += (await client.get("/api/models/list", params={"query": "Before"})).json()["total"]
    problems = installation.problems()
    broken = [f"{left} are there"] if left else []
    broken += [f"{count} x {pair}" for pair, count in seen.items() if pair not in ((200, 200), (404, 200))]
    measured = f"{seen[200, 200]} updated and then deleted, {seen[404, 200]} deleted first; {left} left"
    must_hold = "none is there afterwards; updates 200 or 404; doctor clean"
    return judged("D5", f"{PAIRS:,} models updated and deleted at once", measured, must_hold, broken + problems)
