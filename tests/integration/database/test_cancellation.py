"""Work that is cancelled while its transaction is being committed."""

import asyncio
import threading
from typing import Any

import pytest
from pymongo.client_session import ClientSession

from documents import ModelRecord
from service.database.client import Database
from service.database.writes import update_one
from tests.conftest import Raw


async def test_a_commit_that_is_cancelled_again_and_again_is_waited_for(
    mongod: Database, raw: Raw, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raw.models.insert_one({"_id": "m", "name": "old"})
    committing, go_on = threading.Event(), threading.Event()
    finish = ClientSession._finish_transaction_with_retry

    def slow(session: ClientSession, command_name: str) -> Any:
        committing.set()
        assert go_on.wait(30)
        return finish(session, command_name)

    async def work() -> None:
        await mongod.write_many(ModelRecord, [update_one({"_id": "m"}, {"$set": {"name": "new"}})], any_shape=["m"])

    monkeypatch.setattr(ClientSession, "_finish_transaction_with_retry", slow)
    # Nothing kills the commit, so that it succeeds.
    monkeypatch.setattr(mongod.calls._abandoned, "add", lambda *_: None)
    changing = asyncio.create_task(mongod.in_transaction(work))
    await asyncio.to_thread(committing.wait, 30)
    for _ in range(3):
        changing.cancel()
        await asyncio.sleep(0)
        assert not changing.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await changing
    assert raw.models.find_one({"_id": "m"}, {"_id": 0}) == {"name": "new"}
    # Nothing was aborted that had been committed.
    assert caplog.messages == []
