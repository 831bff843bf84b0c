"""D4 and D5: many clients update the same model, and models are updated while they are deleted."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import httpx

from faults.environment.service import Installation, Service, single_member_installation
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row

MODEL, CREATE = "/api/models/model", "/api/models/create"
UPDATE, DELETE = f"{MODEL}/update", f"{MODEL}/delete"
CLIENTS, UPDATES = 50, 20
PAIRS, CONCURRENT_PAIRS = 1_000, 20
WORKERS = 2


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows."""
    with (
        single_member_installation(workspace, "contention", max_in_flight="200") as (_, installation),
        installation.serving("--workers", str(WORKERS)) as service,
    ):
        asyncio.run(_wait_until_ready(service))
        yield asyncio.run(_concurrent_updates_row(service))
        yield asyncio.run(_update_and_delete_row(service, installation))


def _client(service: Service) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {service.key}"}
    limits = httpx.Limits(max_connections=CLIENTS)
    return httpx.AsyncClient(base_url=service.url, headers=headers, timeout=60, trust_env=False, limits=limits)


async def _wait_until_ready(service: Service) -> None:
    # With several workers, the service prints its address before the workers listen.
    async with _client(service) as client:
        for _ in range(300):
            try:
                if (await client.get("/health/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError("the service did not become ready")


async def _concurrent_updates_row(service: Service) -> Row:
    statuses: Counter[int] = Counter()
    async with _client(service) as client:
        (await client.post(CREATE, json={"id": "wanted", "name": "0"})).raise_for_status()

        async def update_repeatedly(number: int) -> None:
            for turn in range(UPDATES):
                etag = (await client.get(MODEL, params={"id": "wanted"})).headers["ETag"]
                body = {"id": "wanted", "name": f"{number}-{turn}"}
                statuses[(await client.post(UPDATE, json=body, headers={"If-Match": etag})).status_code] += 1

        await asyncio.gather(*(update_repeatedly(number) for number in range(CLIENTS)))
        version = (await client.get(MODEL, params={"id": "wanted"})).json()["version"]
        revisions = (await client.get(f"{MODEL}/history", params={"id": "wanted"})).json()["total"]
    done = statuses.pop(200, 0)
    outdated = statuses.pop(412, 0)
    problems = [f"version {version} after {done} updates"] if version != 1 + done else []
    problems += [f"{revisions} revisions"] if revisions != version else []
    problems += [f"{count} answers {status}" for status, count in statuses.items()]
    problems += [] if outdated else ["no update was answered 412: the clients did not compete"]
    measured = f"{done} of {CLIENTS * UPDATES} updates done, {outdated} answered 412; version {version}"
    must_hold = "the version has grown by the number of updates done; all others answered 412"
    test = f"{CLIENTS} clients x {UPDATES} updates with If-Match of one model, {WORKERS} workers"
    return checked_row("D4", test, measured, must_hold, problems)


async def _update_and_delete_row(service: Service, installation: Installation) -> Row:
    statuses: Counter[tuple[int, int]] = Counter()
    semaphore = asyncio.Semaphore(CONCURRENT_PAIRS)
    async with _client(service) as client:

        async def update_and_delete(number: int) -> None:
            body = {"id": f"pair-{number}", "name": "Before"}
            async with semaphore:
                (await client.post(CREATE, json=body)).raise_for_status()
                update = client.post(UPDATE, json={**body, "name": "After"})
                delete = client.post(DELETE, json={"id": body["id"]})
                first, second = (update, delete) if number % 2 else (delete, update)
                answers = await asyncio.gather(first, second)
                updated, deleted = answers if number % 2 else reversed(answers)
                statuses[updated.status_code, deleted.status_code] += 1

        await asyncio.gather(*(update_and_delete(number) for number in range(PAIRS)))
        left = (await client.get("/api/models/list", params={"query": "After"})).json()["total"]
        left += (await client.get("/api/models/list", params={"query": "Before"})).json()["total"]
    problems = [f"{left} are left"] if left else []
    problems += [f"{count} x {pair}" for pair, count in statuses.items() if pair not in ((200, 200), (404, 200))]
    problems += installation.doctor_problems()
    measured = f"{statuses[200, 200]} updated and then deleted, {statuses[404, 200]} deleted first; {left} left"
    must_hold = "none is left; updates answered 200 or 404; the doctor reports nothing"
    return checked_row("D5", f"{PAIRS:,} models updated and deleted at once", measured, must_hold, problems)
