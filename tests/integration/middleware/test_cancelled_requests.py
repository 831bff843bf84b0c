"""Cancelled work has ended before control returns: no transaction stays open, and nothing is written later."""

import asyncio
import threading
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from documents import Lock
from service.database.client import Database
from service.database.work_context import BULK_TIMEOUT_FACTOR
from service.database.writes import insert_one
from service.importing.engine import run_import
from service.importing.plan import ImportOptions
from service.importing.report import ImportOutcome
from service.importing.source import Item, SourceError
from service.importing.writers.models import BATCH_RECORDS
from tests.conftest import DATABASE, TIMEOUT_SECONDS
from tests.support.commands import CommandLine, finish, until
from tests.support.directory import model
from tests.support.import_samples import NAME, Raw, write_source

# The request timeout of a command that is to time out soon.
SHORT_TIMEOUT_SECONDS = 1.0


class PausedCommand(CommandListener):
    """Pauses each command of one name just before it is sent, by blocking the thread that sends it."""

    def __init__(self, command: str) -> None:
        self._command = command
        self.reached, self.resumed, self.finished = threading.Event(), threading.Event(), threading.Event()

    def started(self, event: CommandStartedEvent) -> None:
        if event.command_name == self._command:
            self.reached.set()
            self.resumed.wait(TIMEOUT_SECONDS)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        if event.command_name == self._command:
            self.finished.set()

    def failed(self, event: CommandFailedEvent) -> None:
        if event.command_name == self._command:
            self.finished.set()


@pytest.fixture
def admin(mongo_uri: str) -> Iterator[MongoClient[dict[str, Any]]]:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        yield client
        client.admin.command("killAllSessions", [])


def open_transactions(client: MongoClient[dict[str, Any]]) -> list[dict[str, Any]]:
    everything = {"$currentOp": {"allUsers": True, "idleSessions": True}}
    return list(client.admin.aggregate([everything, {"$match": {"transaction": {"$exists": True}}}]))


async def test_a_cancelled_transaction_leaves_nothing_open_and_nothing_written(
    mongod: Database, admin: MongoClient[dict[str, Any]], mongo_uri: str, raw: Raw
) -> None:
    paused = PausedCommand("insert")
    database = Database.connect(mongo_uri, DATABASE, TIMEOUT_SECONDS, event_listeners=[paused])
    try:
        writes = [insert_one({"_id": "cancelled", "changes": 0})]
        task = asyncio.create_task(database.in_transaction(lambda: database.write_many(Lock, writes)))
        assert await asyncio.to_thread(paused.reached.wait, TIMEOUT_SECONDS)
        task.cancel()
        # Enough time to abort the transaction before its only command is sent, if that were possible.
        await asyncio.wait([task], timeout=0.3)
        paused.resumed.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(paused.finished.wait, TIMEOUT_SECONDS)
    finally:
        paused.resumed.set()
        database.close()
    assert open_transactions(admin) == []
    assert raw.guards.find_one({"_id": "cancelled"}) is None


async def test_an_import_that_fails_leaves_nothing_behind_that_is_still_being_written(
    mongod: Database, admin: MongoClient[dict[str, Any]], mongo_uri: str, raw: Raw
) -> None:
    paused = PausedCommand("insert")
    database = Database.connect(mongo_uri, DATABASE, TIMEOUT_SECONDS, event_listeners=[paused])
    passes = iter((False, True))

    def items() -> Iterator[Item]:
        if next(passes):
            yield from (Item("model", f"[{n}]", model(f"m{n}", "ann")) for n in range(BATCH_RECORDS))
            # Between these items the event loop can write the models.
            for n in takewhile(lambda _: not paused.reached.is_set(), range(10_000)):
                yield Item("key", f"key {n}", {"user_id": f"u{n}", "key": "k" * 32, "name": "k"})
            raise SourceError("breaks off")

    try:
        running = asyncio.create_task(run_import(database, items, ImportOptions()))
        assert await asyncio.to_thread(paused.reached.wait, TIMEOUT_SECONDS)
        await asyncio.wait([running], timeout=0.3)
        assert not running.done()
        paused.resumed.set()
        report = await running
        report.close()
    finally:
        paused.resumed.set()
        database.close()
    assert report.fatal == "breaks off"
    assert open_transactions(admin) == []
    # The batch that was being written is complete, and reported.
    created = report.counts["model", ImportOutcome.CREATED]
    assert raw.models.count_documents({}) == raw.revisions.count_documents({}) == created == BATCH_RECORDS


@pytest.mark.faults
def test_a_command_waits_for_what_a_killed_one_has_left_locked(
    shell: CommandLine, store: Raw, mongo_uri: str, tmp_path: Path
) -> None:
    write_source(tmp_path, {"models": [model("m", "ann")]})
    shell.ok("indexes", "ensure")
    short_timeout = CommandLine(
        tmp_path, mongodb_uri=mongo_uri, database=NAME, request_timeout=str(SHORT_TIMEOUT_SECONDS)
    )
    with store.client.start_session() as session:
        session.start_transaction()
        store["models"].insert_one({"_id": "m"}, session=session, bypass_document_validation=True)
        process = short_timeout.start("import", "source.json")
        # Longer than a transaction is retried if no killed command holds a lock.
        enough = time.monotonic() + 2 * BULK_TIMEOUT_FACTOR * SHORT_TIMEOUT_SECONDS
        until(lambda: time.monotonic() > enough or process.poll() is not None, "it has waited", seconds=60)
        assert process.poll() is None
        session.abort_transaction()
    done = finish(process)
    assert (done.status, done.stdout.splitlines()[-1]) == (0, "1 changes")
