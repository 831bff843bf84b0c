"""Clients that disconnect before the response: the database stops the work for their requests.

`python -m faults O3` measures how soon, on an otherwise idle machine.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.listing import page_reading, pipeline
from tests.support.asgi_exchange import Exchange
from tests.support.commands import POLL_SECONDS
from tests.support.directory import LIST, Directory

Raw = SyncDatabase[dict[str, Any]]
# For each record, the server goes through numbers without an end that matters, and finds none.
_NUMBERS = {"$range": [0, 1_000_000]}
_SLOWLY: list[dict[str, Any]] = [
    {"$set": {"one": _NUMBERS}},
    {"$unwind": "$one"},
    {"$set": {"other": _NUMBERS}},
    {"$unwind": "$other"},
    {"$match": {"other": -1}},
]


@pytest.fixture
def other(mongo_uri: str) -> Iterator[Raw]:
    """Another client of the same database."""
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        yield client["modeldeck_test"]


def running(raw: Raw, collection: str) -> list[dict[str, Any]]:
    """Return the operations that the server is executing on one collection."""
    active = {"ns": f"{raw.name}.{collection}", "active": True}
    stages: list[dict[str, Any]] = [{"$currentOp": {"allUsers": True}}, {"$match": active}]
    return list(raw.client.admin.aggregate(stages))


async def within(seconds: float, condition: Callable[[], object]) -> None:
    """Wait until a condition holds; fail when that takes longer than `seconds`."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"waited {seconds} s"
        await asyncio.sleep(POLL_SECONDS)


async def asked(
    directory: Directory, exchange: Exchange, user: str, begun: Callable[[], object]
) -> Awaitable[Exchange]:
    """Send a request, and return once the database works on it."""
    exchange.headers["Authorization"] = f"Bearer {await directory.key(user)}"
    asking = asyncio.create_task(exchange.with_app(directory.app))
    await within(60, begun)
    return asking


async def test_a_search_ends_with_the_client_who_asked_for_it(
    directory: Directory, other: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.user("ann")
    await directory.post("/api/models/create", "ann", {"id": "m", "name": "M"})

    def slow(*arguments: Any) -> list[dict[str, Any]]:
        first, *rest = pipeline.list_pipeline(*arguments)
        return [first, *_SLOWLY, *rest]

    monkeypatch.setattr(page_reading, "list_pipeline", slow)
    exchange = Exchange(LIST)
    asking = await asked(directory, exchange, "ann", lambda: running(other, "models"))
    exchange.disconnect()
    await within(15, lambda: not running(other, "models"))
    await asking
    monkeypatch.undo()
    assert (await directory.page("ann"))["total"] == 1


async def test_a_change_ends_with_the_client_who_asked_for_it(directory: Directory, other: Raw) -> None:
    await directory.user("ann", role=Role.ADMIN)
    body = {"id": "team", "name": "Team"}
    exchange = Exchange("/api/groups/create", "POST", parts=[json.dumps(body).encode()])
    # The server blocks all writes.
    other.client.admin.command("fsync", lock=True)
    try:
        asking = await asked(directory, exchange, "ann", lambda: running(other, "guards"))
        exchange.disconnect()
        await within(15, lambda: not running(other, "guards"))
        await asking
    finally:
        other.client.admin.command("fsyncUnlock")
    assert (await directory.get("/api/groups", "ann")).json()["total"] == 0
    assert (await directory.post("/api/groups/create", "ann", body)).status_code == 200
