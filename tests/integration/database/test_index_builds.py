"""Building indexes: over a lost connection, and until the caller is cancelled."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import IndexModel
from pymongo.database import Database as SyncDatabase
from pymongo.errors import AutoReconnect

from service.database import administration
from service.database.client import Database
from tests.support.commands import until

Raw = SyncDatabase[dict[str, Any]]
NAME = "built"
INDEX = IndexModel("field", name="field")


@pytest.fixture
def built(raw: Raw) -> Iterator[str]:
    raw[NAME].insert_one({"field": 1})
    yield NAME
    raw[NAME].drop()


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lose the first connection; the list holds what is sent: `built`, or `refused` where the server has not heard."""
    sent = ["built"]
    create = AsyncIOMotorCollection.create_indexes

    async def create_once(self: Any, *arguments: Any, **options: Any) -> Any:
        sent.append("again")
        if sent[0] == "built":
            answer = await create(self, *arguments, **options)
        if len(sent) == 2:
            raise AutoReconnect
        return answer

    monkeypatch.setattr(AsyncIOMotorCollection, "create_indexes", create_once)
    monkeypatch.setattr(administration, "ASK_AGAIN_SECONDS", 0.0)
    return sent


async def test_an_index_that_was_built_when_the_connection_was_lost_is_there(
    mongod: Database, built: str, lost: list[str]
) -> None:
    await mongod.create_indexes(built, [INDEX])
    assert [index["name"] for index in await mongod.list_indexes(built)] == ["_id_", "field"]
    assert lost == ["built", "again"]


async def test_an_index_that_the_server_builds_when_the_connection_is_lost_is_waited_for(
    mongod: Database, built: str, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unfinished(self: Any, _: str) -> list[dict[str, Any]]:
        return [{"name": "field", "key": {"field": 1}, "building": True}]

    monkeypatch.setattr(administration.Administration, "list_indexes", unfinished)
    await mongod.create_indexes(built, [INDEX])
    assert lost == ["built", "again", "again"]


async def test_an_index_that_the_server_does_not_build_is_an_error(
    mongod: Database, built: str, lost: list[str]
) -> None:
    lost[0] = "refused"
    with pytest.raises(AutoReconnect):
        await mongod.create_indexes(built, [INDEX])


async def test_indexes_that_are_not_there_are_not_dropped(mongod: Database, built: str) -> None:
    await mongod.create_indexes(built, [INDEX])
    assert not await mongod.drop_indexes(built, ["field", "other"])
    assert await mongod.drop_indexes(built, ["field"])
    assert [index["name"] for index in await mongod.list_indexes(built)] == ["_id_"]


async def test_a_cancelled_build_ends_on_the_server(mongod: Database, built: str, raw: Raw) -> None:
    # The build waits for the transaction, as one of a large collection does for its records.
    with raw.client.start_session() as session, session.start_transaction():
        raw[built].insert_one({"field": 2}, session=session)
        building = asyncio.create_task(mongod.create_indexes(built, [INDEX]))
        await asyncio.to_thread(until, lambda: _operations(raw), "the server builds")
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        await mongod.calls.end_abandoned()
        assert not _operations(raw)
        session.abort_transaction()
    assert [index["name"] for index in await mongod.list_indexes(built)] == ["_id_"]


def _operations(raw: Raw) -> list[Any]:
    return list(raw.client.admin.aggregate([{"$currentOp": {}}, {"$match": {"command.createIndexes": NAME}}]))
