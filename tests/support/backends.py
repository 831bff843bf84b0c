"""Replacements for what mongomock lacks, so that the tests of the list run on both backends."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from typing import Any, TypeVar

import pytest
from beanie import Document
from bson.min_key import MinKey
from mongomock import aggregate
from pymongo import DeleteOne, InsertOne
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from service.database.calls import Calls, Session
from service.database.client import Database
from service.database.connection import Connection
from service.database.exact_bson import Encoded, Record
from service.database.reads import Pipeline, Reads
from service.database.transactions import Transactions
from service.database.writes import Write, Writes
from service.models.item import WITHOUT_LARGE

T = TypeVar("T")

# For tests that read through the pipeline. Writes depend on transactions, validators and unique indexes, which
# mongomock lacks, so that it could prove nothing about them.
on_each_backend = pytest.mark.parametrize("database", ["mongod", "mongomock"], indirect=True)


class _MockedConnection(Connection):
    """Mongomock has no raw BSON: it keeps Python objects."""

    def raw_collection(self, kind: type[Document]) -> Collection[Any]:
        collection: Collection[Any] = self.database.delegate[self.collection(kind).name]
        return collection


class _MockedCalls(Calls):
    """Mongomock has no sessions."""

    _transacting: ContextVar[bool] = ContextVar("transacting", default=False)

    @property
    def transacting(self) -> bool:
        return self._transacting.get()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        token = self._transacting.set(True)
        try:
            yield
        finally:
            self._transacting.reset(token)

    def new_session(self) -> Session:
        return None


class _NoTransactions(Transactions):
    """Mongomock has no transactions: what depends on them is tested on the real server."""

    def __init__(self, calls: _MockedCalls) -> None:
        super().__init__(calls)
        self._mocked_calls = calls

    async def in_transaction(self, work: Callable[[], Awaitable[T]], *, bulk: bool = False) -> T:
        with self._mocked_calls.transaction():
            return await work()


class _MockedReads(Reads):
    """Mongomock has no validators, and supports fewer pipelines."""

    async def _aggregate(
        self, kind: type[Document], pipeline: Pipeline, options: Record, seconds: float | None
    ) -> Encoded:
        # It refuses a hint for an index that it does not have, can't compare with MinKey, has the regular expressions
        # of Python, and modifies the pipeline that it runs.
        pipeline = [stage for stage in deepcopy(pipeline) if stage != WITHOUT_LARGE]
        if "$bsonSize" in str(pipeline):
            # It does not support $bsonSize.
            return Encoded([])
        pipeline = _in_python(_without_open_ranges(pipeline))
        return await super()._aggregate(kind, pipeline, {**options, "hint": None}, seconds)

    async def malformed(
        self,
        kind: type[Document],
        query: Mapping[str, Any],
        rule: Mapping[str, Any] | None = None,
    ) -> list[Any]:
        return []


class _MockedWrites(Writes):
    """Mongomock's bulk_write does not support the write objects of the current driver."""

    async def write_many(
        self,
        kind: type[Document],
        writes: Sequence[Write],
        *,
        any_shape: Sequence[str] = (),
    ) -> tuple[int, list[int]]:
        collection, written, taken = self._collection(kind), 0, []
        for position, write in enumerate(writes):
            try:
                if isinstance(write, InsertOne):
                    await collection.insert_one(write._doc)
                    written += 1
                elif isinstance(write, DeleteOne):
                    written += (await collection.delete_one(write._filter)).deleted_count
                else:
                    written += (await collection.update_one(write._filter, write._doc)).matched_count
            except DuplicateKeyError:
                taken.append(position)
        return written, taken


class MockedDatabase(Database):
    """The client of a database on mongomock."""

    def __init__(self, client: Any, name: str, timeout: float) -> None:
        calls = _MockedCalls(_MockedConnection(client, name, timeout))
        reads = _MockedReads(calls)
        super().__init__(calls, _NoTransactions(calls), reads, _MockedWrites(calls, reads))


def _without_open_ranges(pipeline: Pipeline) -> list[Mapping[str, Any]]:
    if not pipeline or "$match" not in pipeline[0]:
        return [*pipeline]
    bounded = {name: condition for name, condition in pipeline[0]["$match"].items() if condition != {"$gte": MinKey()}}
    return [{"$match": bounded}, *pipeline[1:]]


def _in_python(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_python(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_in_python(part) for part in value]
    # It only ends futile attempts early.
    return value.replace("(*COMMIT)", "") if isinstance(value, str) else value


def _union_with(collection: list[dict[str, Any]], database: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    others = list(database[options["coll"]].aggregate(_without_open_ranges(options["pipeline"])))
    return [*collection, *others]


def teach_union_with() -> None:
    """Give mongomock the stage `$unionWith`."""
    aggregate._PIPELINE_HANDLERS["$unionWith"] = _union_with
