"""The client of the database, put together from its parts: the only driver code that others call."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self
from weakref import WeakValueDictionary

import pymongo

from service.database.administration import Administration
from service.database.calls import Calls
from service.database.change_streams import ChangeStreams
from service.database.connection import Connection
from service.database.reads import Reads
from service.database.transactions import Transactions
from service.database.work_context import within_deadline
from service.database.writes import Writes
from service.errors import BusyError


class Database:
    """One connection pool and one database on it.

    Every call is bounded by `timeout` seconds from the moment it is made: the waits for a thread, for a connection and
    for the server, and the work on the server, count together.
    """

    def __init__(self, calls: Calls, transactions: Transactions, reads: Reads, writes: Writes) -> None:
        """Offer the methods of the parts, which are documented there."""
        self.calls = calls
        self.connection = calls.connection
        self.name = self.connection.database.name
        self.timeout = self.connection.timeout
        self.open = self.connection.open
        self.close = calls.close
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

        self.snapshot, self.in_transaction = transactions.snapshot, transactions.in_transaction
        self.after_commit = transactions.after_commit
        self.find, self.get, self.count, self.malformed = reads.find, reads.get, reads.count, reads.malformed
        self.estimated_count = reads.estimated_count
        self.aggregate, self.aggregate_batches, self.batches = reads.aggregate, reads.aggregate_batches, reads.batches
        self.aggregate_at_one_moment = reads.aggregate_at_one_moment
        self.aggregate_encoded = reads.aggregate_encoded
        self.insert, self.insert_record, self.write_many = writes.insert, writes.insert_record, writes.write_many
        self.update_one, self.update_many, self.delete_many = writes.update_one, writes.update_many, writes.delete_many
        self.changes = ChangeStreams(self.connection).changes
        administration = Administration(calls)
        self.command, self.collection_options = administration.command, administration.collection_options
        self.collection_uuid, self.accepts_writes = administration.collection_uuid, administration.accepts_writes
        self.create_indexes, self.list_indexes = administration.create_indexes, administration.list_indexes
        self.drop_indexes = administration.drop_indexes
        self.set_validator, self.put_view = administration.set_validator, administration.put_view

    @classmethod
    def connect(
        cls, uri: str, name: str, timeout: float, *, conflict_retry_seconds: float = 0.0, **options: Any
    ) -> Self:
        """Return a client of the database `name`; nothing is sent yet.

        For at least `conflict_retry_seconds`, transactions are tried again while others have locked what they change.
        `options` go to the driver's client.
        """
        calls = Calls(Connection.to(uri, name, timeout, **options))
        reads = Reads(calls)
        transactions = Transactions(calls, conflict_retry_seconds=conflict_retry_seconds)
        return cls(calls, transactions, reads, Writes(calls, reads))

    @property
    def transacting(self) -> bool:
        """Whether the calls of this task take part in a transaction or read from a snapshot."""
        return self.calls.transacting

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Bound all calls of a block together; each keeps its own bound where that is earlier."""
        with pymongo.timeout(seconds):
            yield

    @asynccontextmanager
    async def lock_in_process(self, name: str) -> AsyncIterator[None]:
        """Serialise the blocks of one name in this process; raise BusyError after `timeout` seconds of waiting."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        try:
            async with asyncio.timeout(within_deadline(self.timeout)):
                await lock.acquire()
        except TimeoutError:
            raise BusyError from None
        try:
            yield
        finally:
            lock.release()
