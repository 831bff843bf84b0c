"""G1 to G6: callers with ordinary keys who take more than they need, and what others notice."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from pymongo import MongoClient
from pymongo.database import Database

from faults.environment.replica_set import ReplicaSet
from faults.environment.service import Installation, Service, single_member_installation
from faults.environment.unbounded import UnboundedShell
from faults.environment.workspace import Workspace
from faults.report import Row, checked_row, progress
from faults.workload.greed_directory import LARGE_MODELS, MODELS, RECORD_BYTES, VERSIONS, fill
from faults.workload.greedy_clients import Bystanders, RawRequest, bystanders, poll, read_slowly, running
from faults.workload.http_load import Answer, percentile

STREAMS, PAGES, HISTORIES, SLOW_BODIES, TOGGLES = 12, 24, 20, 72, 40
GREEDY_SECONDS, CONTROL_SECONDS, ROUNDS = 20.0, 8.0, 2
DEADLINE_SECONDS, BATCH, MAX_TOGGLE_BYTES = 10.5, 100, 5_000
HISTORY, EXPORT, STATE = "/api/models/model/history", "/api/models/export", "/api/models/bulk/state"
LARGE_PAGE = "/api/models/list?query=large&page_size=100"
OTHERS = "lists of others 200 within 2 s, an admin's deactivations 200 within 5 s, memory + < 150 MB"
HARM = "others are refused or wait; otherwise the test of the bound proves nothing"


class Greed:
    """The service with a directory for these tests, and the keys of its users."""

    def __init__(self, service: Service, stored: Database[dict[str, Any]], keys: dict[str, str]) -> None:
        self.service = service
        self.stored = stored
        self.keys = keys


def run(workspace: Workspace) -> Iterator[Row]:
    """Yield the rows."""
    with single_member_installation(workspace, "greed") as (replica_set, installation):
        keys = fill(replica_set, installation)
        for test, row in ROWS:
            progress(f"{test} begins")
            with serving(replica_set, installation, keys) as greed:
                yield row(greed)


@contextmanager
def serving(
    replica_set: ReplicaSet, installation: Installation, keys: dict[str, str], without: str | None = None
) -> Iterator[Greed]:
    """Run the service while the block runs; `without` names the test whose bound it shall not have."""
    shell = None
    if without is not None:
        shell = UnboundedShell(without, installation.folder, installation.shell.environment)
    with (
        MongoClient[dict[str, Any]](replica_set.uri) as client,
        installation.serving(shell=shell) as service,
    ):
        yield Greed(service, client[installation.database], keys)


# --- G1


def _slow_readers(greed: Greed) -> Row:
    found, statuses, seconds = asyncio.run(answers_to_slow_readers(greed, EXPORT, GREEDY_SECONDS, then_revoke=True))
    problems = _slow_reading_problems(found, statuses)
    problems += [f"places were free only {seconds:.1f} s after revocation"] if seconds > 5 else []
    measured = (
        f"{statuses[200]} exports begun, {statuses[503]} refused; {found}; "
        f"a place was free {seconds:.1f} s after the readers' keys were revoked"
    )
    test = f"{STREAMS} slow readers of exports of {LARGE_MODELS} models of {RECORD_BYTES:,} bytes, by two users"
    return checked_row("G1", test, measured, f"{OTHERS}; a place within 5 s after the revocation", problems)


def _slow_reading_problems(found: Bystanders, statuses: Counter[int]) -> list[str]:
    both = statuses[200] and statuses[503] and len(statuses) == 2
    return found.problems + ([] if both else [f"the slow readers were answered {dict(statuses)}"])


def _large_pages(greed: Greed) -> Row:
    found, statuses, _ = asyncio.run(answers_to_slow_readers(greed, LARGE_PAGE, GREEDY_SECONDS, then_revoke=False))
    measured = f"{statuses[200]} pages begun, {statuses[503]} refused; {found}"
    test = f"{PAGES} slow readers of a page of {LARGE_MODELS} models of {RECORD_BYTES:,} bytes, by two users"
    return checked_row("G6", test, measured, OTHERS, _slow_reading_problems(found, statuses))


async def answers_to_slow_readers(
    greed: Greed, path: str, seconds: float, *, then_revoke: bool
) -> tuple[Bystanders, Counter[int], float]:
    """Return what others noticed of slow readers, how many of these got each status, and how long they held places."""
    statuses: list[int] = []
    keys = [greed.keys["ann"], greed.keys["ben"]]
    count = STREAMS if path == EXPORT else PAGES
    works = [read_slowly(greed.service, path, keys[number % 2], statuses) for number in range(count)]
    async with bystanders(greed.service, greed.keys["cat"], "eve") as found, running(works):
        await asyncio.sleep(seconds)
        freed = await _seconds_until_free(greed, ["ann", "ben"]) if then_revoke else 0.0
    return found, Counter(statuses), freed


async def _seconds_until_free(greed: Greed, users: Sequence[str]) -> float:
    """Revoke the keys of these users; return after how many seconds another user can export, and make new keys."""
    headers = {"Authorization": f"Bearer {greed.service.key}"}
    exporting = {"Authorization": f"Bearer {greed.keys['dan']}"}
    async with httpx.AsyncClient(base_url=greed.service.url, timeout=60, trust_env=False) as client:
        for user in users:
            for key in (await client.get("/api/users/keys", params={"user_id": user}, headers=headers)).json():
                body = {"user_id": user, "id": key["id"]}
                (await client.post("/api/users/keys/revoke", json=body, headers=headers)).raise_for_status()
        began = time.monotonic()

        async def is_free() -> bool:
            answer = await client.get(EXPORT, params={"id": "m00000"}, headers=exporting)
            return answer.status_code == 200

        await poll(is_free)
        seconds = time.monotonic() - began
        for user in users:
            created = await client.post("/api/users/keys/create", json={"user_id": user, "name": "n"}, headers=headers)
            greed.keys[user] = created.json()["key"]
    return seconds


# --- G2


def _histories(greed: Greed) -> Row:
    found, answers = asyncio.run(ask_for_histories(greed))
    slowest, statuses = percentile(answers, 100), Counter(answer.status for answer in answers)
    problems = found.problems
    problems += [f"a history took {slowest:.1f} s"] if slowest > DEADLINE_SECONDS else []
    problems += [] if statuses[200] == len(answers) else [f"histories were answered {dict(statuses)}"]
    measured = f"{len(answers)} histories within {slowest:.2f} s; {found}"
    test = (
        f"{HISTORIES} at once ask for {VERSIONS} revisions, stored whole, of a model of {RECORD_BYTES:,} bytes, "
        f"{ROUNDS} times"
    )
    return checked_row("G2", test, measured, f"{OTHERS}; each history 200 within 10.5 s", problems)


async def ask_for_histories(greed: Greed) -> tuple[Bystanders, list[Answer]]:
    """Return what others noticed, and the answers."""
    answers: list[Answer] = []
    async with bystanders(greed.service, greed.keys["cat"], "eve") as found:
        for _ in range(ROUNDS):
            head = f"GET {HISTORY}?id=large0&page_size={VERSIONS}"
            requests = [RawRequest(greed.service, head, greed.keys["ann"]) for _ in range(HISTORIES)]
            for request in requests:
                await request.send()
            answers += await asyncio.gather(*(request.answered() for request in requests))
    return found, answers


# --- G3


def _revocation(greed: Greed) -> Row:
    late, changed = changed_after_deactivation(greed)
    sent, complete = asyncio.run(_sent_after_leaving(greed))
    problems = [f"{late} models were changed after the deactivation"] if late > BATCH else []
    problems += [f"all {changed} models were changed before the deactivation"] if changed == MODELS else []
    problems += ["the export goes on, with a model created afterwards"] if sent or complete else []
    measured = f"{changed} models changed, {late} of them after the deactivation was answered; the export broke off"
    test = f"a caller is deactivated during a change of {MODELS:,} models; another leaves a group during an export"
    must_hold = f"at most {BATCH} changed afterwards; nothing exported that was created afterwards"
    return checked_row("G3", test, measured, must_hold, problems)


def changed_after_deactivation(greed: Greed) -> tuple[int, int]:
    """Return how many models were changed after the deactivation of the caller, and how many in total."""
    greed.stored.models.update_many({"user_id": "dan"}, {"$set": {"is_active": True}})
    changed = {"user_id": "dan", "is_active": False}

    async def has_begun() -> bool:
        return greed.stored.models.count_documents(changed) >= 2 * BATCH

    async def work() -> int:
        async with httpx.AsyncClient(base_url=greed.service.url, timeout=90, trust_env=False) as client:
            change = client.post(STATE, json={"filter": {}, "is_active": False}, headers=_with(greed.keys["dan"]))
            changing = asyncio.create_task(change)
            await poll(has_begun)
            await _set_active(client, greed, "dan", active=False)
            before = greed.stored.models.count_documents(changed)
            await changing
            await _set_active(client, greed, "dan", active=True)
            return before

    before = asyncio.run(work())
    total = greed.stored.models.count_documents(changed)
    return total - before, total


async def _set_active(client: httpx.AsyncClient, greed: Greed, user: str, *, active: bool) -> None:
    body = {"id": user, "is_active": active}
    (await client.post("/api/users/update", json=body, headers=_with(greed.service.key))).raise_for_status()


async def _sent_after_leaving(greed: Greed) -> tuple[bool, bool]:
    """Return whether an export has a model created after its caller left the group, and whether it ended in order."""
    reading = RawRequest(greed.service, f"GET {EXPORT}?format=jsonl", greed.keys["ben"])
    await reading.send()
    await reading.receive(1024)
    async with httpx.AsyncClient(
        base_url=greed.service.url, timeout=60, trust_env=False, headers=_with(greed.service.key)
    ) as client:
        members = {"id": "team", "user_ids": ["ben"]}
        (await client.post("/api/groups/members/remove", json=members)).raise_for_status()
        grants = [{"principal_type": "group", "principal_id": "team", "permission": "read"}]
        late = {"id": "zzz-late", "name": "Late", "access_grants": grants}
        (await client.post("/api/models/create", json=late)).raise_for_status()
        while await reading.receive():
            pass
        (await client.post("/api/models/model/delete", json={"id": "zzz-late"})).raise_for_status()
        (await client.post("/api/groups/members/add", json=members)).raise_for_status()
    return b"zzz-late" in reading.received, reading.received.endswith(b"\r\n0\r\n\r\n")


# --- G4


def _slow_bodies(greed: Greed) -> Row:
    found, answers = asyncio.run(send_slow_bodies(greed, "ann"))
    slowest, statuses = percentile(answers, 100), Counter(answer.status for answer in answers)
    problems = found.problems + ([f"one was answered after {slowest:.1f} s"] if slowest > DEADLINE_SECONDS else [])
    problems += [f"answered {dict(statuses)}"] if set(statuses) - {408, 503} else []
    measured = f"answered {dict(sorted(statuses.items()))} within {slowest:.1f} s; {found}"
    test = f"{SLOW_BODIES} requests of one key, of whose bodies only one byte arrives"
    return checked_row("G4", test, measured, f"{OTHERS}; 408 or 503 within 10.5 s", problems)


async def send_slow_bodies(greed: Greed, *users: str) -> tuple[Bystanders, list[Answer]]:
    """Return what others noticed of bodies that these users do not send to their end, and the answers."""
    keys = [greed.keys[user] for user in users]
    head = "POST /api/models/create"
    requests = [RawRequest(greed.service, head, keys[number % len(keys)]) for number in range(SLOW_BODIES)]
    # All of them first, so that no request of others is in flight whose place would be free again soon.
    for request in requests:
        await request.send("Content-Length: 100\r\n\r\n{")
    async with bystanders(greed.service, greed.keys["cat"], "eve") as found:
        answers = await asyncio.gather(*(request.answered() for request in requests))
    return found, list(answers)


# --- G5


def _toggles(greed: Greed) -> Row:
    each = bytes_of_a_toggle(greed)
    problems = [f"{each:,.0f} bytes"] if each > MAX_TOGGLE_BYTES else []
    test = f"a model of {RECORD_BYTES:,} bytes is toggled {TOGGLES} times"
    return checked_row("G5", test, f"{each:,.0f} bytes each", f"less than {MAX_TOGGLE_BYTES:,} bytes each", problems)


def bytes_of_a_toggle(greed: Greed) -> float:
    """Return by how many bytes one toggle of a large model makes the database larger."""
    before = _stored_bytes(greed)
    with greed.service.client() as client:
        for _ in range(TOGGLES):
            answer = client.post("/api/models/model/toggle", params={"id": "large1"}, headers=_with(greed.keys["ann"]))
            answer.raise_for_status()
    return (_stored_bytes(greed) - before) / TOGGLES


def _stored_bytes(greed: Greed) -> float:
    return float(greed.stored.command("dbStats")["dataSize"])


def _with(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


ROWS: tuple[tuple[str, Callable[[Greed], Row]], ...] = (
    ("G1", _slow_readers),
    ("G2", _histories),
    ("G3", _revocation),
    ("G4", _slow_bodies),
    ("G5", _toggles),
    ("G6", _large_pages),
)
