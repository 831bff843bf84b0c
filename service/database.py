"""The only module that talks to the driver: connect, deadlines, and one helper for each kind of call."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import pymongo
from beanie import Document, init_beanie
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import DeleteOne, IndexModel, InsertOne, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, DuplicateKeyError, InvalidURI, OperationFailure, PyMongoError
from pymongo.results import UpdateResult

from documents import DOCUMENTS
from indexes.validators import DECLARED
from service.errors import BusyError, ConfigurationError, ConflictError
from service.exact_bson import RAW, STORED, Record, decode_exactly, int64

log = logging.getLogger("modeldeck")

Pipeline = Sequence[Mapping[str, Any]]
Event = Mapping[str, Any]
Write = InsertOne[Record] | UpdateOne | DeleteOne
D = TypeVar("D", bound=Document)
T = TypeVar("T")

# The transaction in which the calls of this task take part, if any.
_session: ContextVar[AsyncIOMotorClientSession | None] = ContextVar("session", default=None)

MAJORITY = WriteConcern(w="majority", j=True)
_DURABLY = {"writeConcern": MAJORITY.document}
SERVER_SELECTION_TIMEOUT_MS = 5000
BULK_TIMEOUT_FACTOR = 6
ABORT_SECONDS = 2.0
MAX_PAUSE_SECONDS = 0.25
_TRANSIENT, _UNKNOWN_COMMIT = "TransientTransactionError", "UnknownTransactionCommitResult"
_NAMESPACE_NOT_FOUND, _NAMESPACE_EXISTS = 26, 48
_DUPLICATE_KEY = 11000
_BAD_VALUE = 2
_CHANGES_LOST = 286
_LOST = "The changes after that token are not kept any more: begin anew, with an export of what there is."
# A cursor that is gone, or was ended by the server, says nothing of the changes.
_CURSOR_CODES = {43, 237, 11601}
_CHANGES = ["insert", "update", "replace", "delete"]
CHANGES_AWAIT_MS = 500
RETRY_SECONDS = 0.5
_UNAUTHORIZED = 13


class Database:
    """One connection pool and one database on it.

    Every call is bounded by `timeout` seconds, counted from the call: waiting for a thread, for a
    connection, for the server and on the server alike.
    """

    def __init__(self, client: AsyncIOMotorClient[Record], name: str, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._database: AsyncIOMotorDatabase[Record] = client.get_database(
            name, codec_options=STORED, write_concern=MAJORITY
        )

    @classmethod
    def connect(cls, uri: str, name: str, timeout: float, **options: Any) -> "Database":
        """Make a connection pool; nothing is sent yet. `options` go to the driver's client."""
        try:
            client: AsyncIOMotorClient[Record] = AsyncIOMotorClient(
                uri, appname="modeldeck", serverSelectionTimeoutMS=SERVER_SELECTION_TIMEOUT_MS, **options
            )
        except (InvalidURI, ValueError):
            # The driver's own words can quote a part of the password.
            raise ConfigurationError(
                "MODELDECK_MONGODB_URI: is not a MongoDB URI; user name and password must be percent-encoded."
            ) from None
        return cls(client, name, timeout)

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Bound all calls of a block together; each keeps its own bound where that is nearer."""
        with pymongo.timeout(seconds):
            yield

    async def open(self) -> None:
        """Bind the documents to this database. Indexes are ours to make, see `indexes`."""
        await init_beanie(database=self._database, document_models=list(DOCUMENTS), skip_indexes=True)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def _collection(self, kind: type[Document] | str) -> AsyncIOMotorCollection[Record]:
        name = kind if isinstance(kind, str) else kind.get_settings().name
        assert name is not None  # noqa: S101  # every document of ours names its collection
        return self._database[name]

    def _for_reading(self, kind: type[Document]) -> AsyncIOMotorCollection[Any]:
        return self._collection(kind).with_options(codec_options=RAW)

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Let one task of this process at a time into a block of the same name; raise BusyError after a while."""
        lock = self._turns.setdefault(name, asyncio.Lock())
        try:
            async with asyncio.timeout(self._timeout):
                await lock.acquire()
        except TimeoutError:
            raise BusyError from None
        try:
            yield
        finally:
            lock.release()

    @property
    def name(self) -> str:
        """The name of the database."""
        return self._database.name

    async def command(self, command: Record) -> Record:
        """Run an administrative command, durably where it writes, and return the server's reply."""
        written = command if next(iter(command)).endswith(("Info", "Status")) else {**command, **_DURABLY}
        with pymongo.timeout(self._timeout):
            return await self._database.command(written)

    @property
    def timeout(self) -> float:
        """The seconds after which a call is given up."""
        return self._timeout

    @property
    def transacting(self) -> bool:
        """Whether the calls of this task take part in a transaction."""
        return _session.get() is not None

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Let all reads of a block see the database as it is at the first of them; nothing can be written in it.

        The server keeps such a state for five minutes, unless its `minSnapshotHistoryWindowInSeconds` is longer.
        """
        async with await self._client.start_session(snapshot=True) as session:
            token = _session.set(session)
            try:
                yield
            finally:
                _session.reset(token)

    async def in_transaction(self, work: Callable[[], Awaitable[T]], *, bulk: bool = False) -> T:
        """Run `work` so that all its calls on this database take effect, or none; return what it returns.

        It is run again when others got in its way, and must raise to give up. `bulk` gives it more time. Inside
        another transaction it is a part of that one.
        """
        if self.transacting:
            return await work()

        async with await self._client.start_session() as session:
            token = _session.set(session)
            try:
                return await self._attempts(session, work, self._timeout * (BULK_TIMEOUT_FACTOR if bulk else 1))
            finally:
                _session.reset(token)

    async def _attempts(
        self, session: AsyncIOMotorClientSession, work: Callable[[], Awaitable[T]], seconds: float
    ) -> T:
        deadline, attempt = time.monotonic() + seconds, 0
        while True:
            try:
                with pymongo.timeout(max(deadline - time.monotonic(), 0.001)):
                    return await _committed(session, work)
            except BaseException as error:
                # With time of its own: what is left open keeps what it has locked until the server gives it up.
                with pymongo.timeout(ABORT_SECONDS):
                    await _abort(session)
                over = time.monotonic() >= deadline
                if over or not isinstance(error, PyMongoError) or not error.has_error_label(_TRANSIENT):
                    raise
            # At random, and longer each time: of many that want the same, one has to get through.
            await asyncio.sleep(random.uniform(0, min(0.005 * 2**attempt, MAX_PAUSE_SECONDS)))  # noqa: S311
            attempt += 1

    async def aggregate(
        self, kind: type[Document], pipeline: Pipeline, *, hint: str | None = None, seconds: float | None = None
    ) -> list[Record]:
        """Run one aggregation within `seconds` and return all it yields, free-form values exactly as stored.

        `hint` names the index to use; while that index does not exist, the server chooses.
        """
        with pymongo.timeout(seconds or self._timeout):
            try:
                return await self._aggregate(kind, pipeline, {"hint": hint} if hint else {})
            except OperationFailure as error:
                if not hint or error.code != _BAD_VALUE or "hint" not in str(error):
                    raise
                log.warning("the index %s is missing; run: modeldeck indexes check", hint)
                return await self._aggregate(kind, pipeline, {})

    async def _aggregate(self, kind: type[Document], pipeline: Pipeline, options: Record) -> list[Record]:
        cursor = self._for_reading(kind).aggregate(pipeline, session=_session.get(), **options)
        return [decode_exactly(document) for document in await _ended(cursor.to_list(None))]

    async def find(
        self,
        kind: type[Document],
        query: Mapping[str, Any],
        *,
        fields: Sequence[str] | None = None,
        sort: Sequence[tuple[str, int]] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> list[Record]:
        """Return the documents that match, whole or only with the given fields (and `_id`)."""
        with pymongo.timeout(self._timeout):
            found = self._for_reading(kind).find(query, fields, skip=skip, limit=limit, session=_session.get())
            if sort:
                found = found.sort(list(sort))
            return [decode_exactly(document) for document in await _ended(found.to_list(None))]

    async def count(self, kind: type[Document], query: Mapping[str, Any]) -> int:
        """Return how many documents match."""
        with pymongo.timeout(self._timeout):
            return await _ended(self._collection(kind).count_documents(query, session=_session.get()))

    async def batches(
        self, kind: type[Document], query: Mapping[str, Any], *, fields: Sequence[str], size: int
    ) -> AsyncIterator[list[Record]]:
        """Yield the documents that match, in order of `_id`, in lists of at most `size`.

        Each list is a query of its own, so that a long walk holds no cursor open.
        """
        after: Mapping[str, Any] = {}
        while found := await self.find(kind, {"$and": [query, after]}, fields=fields, sort=[("_id", 1)], limit=size):
            yield found
            after = {"_id": {"$gt": found[-1]["_id"]}}

    async def aggregate_batches(
        self, kind: type[Document], query: Mapping[str, Any], stages: Pipeline, *, size: int
    ) -> AsyncIterator[list[Record]]:
        """Yield what `stages`, which keep every document and its `_id`, make of those that match; as `batches` does."""
        after: Mapping[str, Any] = {}
        while found := await self.aggregate(
            kind, [{"$match": {"$and": [query, after]}}, {"$sort": {"_id": 1}}, {"$limit": size}, *stages]
        ):
            yield found
            after = {"_id": {"$gt": found[-1]["_id"]}}

    async def changes(self, kind: type[Document], after: str | None) -> AsyncIterator[tuple[str, Event | None]]:
        """Yield the changes of a collection for ever, each with the token after which to begin again.

        Begins after the change of the token `after`, or now. While nothing changes, tokens come alone, the first one as
        soon as no change can escape. Outages are waited out, once it has begun. Raises ConfigurationError for a token
        that can't be used (any more).
        """
        last, begun = after, False
        while True:
            try:
                async for token, event in self._stream(kind, last):
                    last, begun = token, True
                    yield token, event
            except PyMongoError as error:
                if isinstance(error, OperationFailure) and error.code == _CHANGES_LOST:
                    raise ConfigurationError(_LOST) from None
                if not begun and last is not None and isinstance(error, OperationFailure):
                    raise ConfigurationError(f"The token can't be used here: {error}") from None
                if not begun or not _passes(error):
                    raise
                log.warning("the database is away; waiting for it")
                await asyncio.sleep(RETRY_SECONDS)

    async def _stream(self, kind: type[Document], after: str | None) -> AsyncIterator[tuple[str, Event | None]]:
        pipeline = [{"$match": {"operationType": {"$in": _CHANGES}}}]
        start = {"_data": after} if after else None
        collection = self._for_reading(kind)
        async with collection.watch(
            pipeline, "updateLookup", max_await_time_ms=CHANGES_AWAIT_MS, start_after=start
        ) as stream:
            while stream.alive:
                event = await stream.try_next()
                token = event["_id"] if event else stream.resume_token
                yield token["_data"], decode_exactly(event) if event else None

    async def get(self, kind: type[D], query: Mapping[str, Any]) -> D | None:
        """Return the one document that matches, validated, or None."""
        found = await self.find(kind, query, limit=1)
        return kind.model_validate(found[0]) if found else None

    async def insert(self, document: Document) -> bool:
        """Store a new document; say False when its id or another unique field is taken."""
        return await self.insert_record(type(document), stored(document))

    async def insert_record(self, kind: type[Document], record: Record) -> bool:
        """Store a new document that is already in its stored form; say False when its id is taken."""
        with pymongo.timeout(self._timeout):
            try:
                await _ended(self._collection(kind).insert_one(record, session=_session.get()))
            except DuplicateKeyError:
                return False
        return True

    async def malformed(
        self, kind: type[Document], query: Mapping[str, Any], rule: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Return the ids of those documents that match and are not of the declared shape, or not as `rule` has it."""
        unfit = {"$nor": [rule or DECLARED[self._collection(kind).name]]}
        return [found["_id"] for found in await self.find(kind, {"$and": [query, unfit]}, fields=["_id"])]

    async def update_one(
        self,
        kind: type[Document],
        query: Mapping[str, Any],
        change: Mapping[str, Any] | Pipeline,
        *,
        any_shape: bool = False,
    ) -> bool:
        """Change the one document that matches in one step; say whether there was one.

        With `any_shape` it is changed also when others wrote it malformed and it stays so.
        """
        return await self._update("update_one", kind, query, change, any_shape=any_shape) == 1

    async def update_many(
        self,
        kind: type[Document],
        query: Mapping[str, Any],
        change: Mapping[str, Any] | Pipeline,
        *,
        any_shape: bool = False,
    ) -> int:
        """Change every document that matches; return how many there were. `any_shape` is as for one."""
        return await self._update("update_many", kind, query, change, any_shape=any_shape)

    async def _update(
        self,
        how: str,
        kind: type[Document],
        query: Mapping[str, Any],
        change: Mapping[str, Any] | Pipeline,
        *,
        any_shape: bool,
    ) -> int:
        past = await self._past_validation(kind, query, any_shape=any_shape)
        with pymongo.timeout(self._timeout):
            update = getattr(self._collection(kind), how)
            done: UpdateResult = await _ended(update(query, change, session=_session.get(), **past))
            return done.matched_count

    async def _past_validation(self, kind: type[Document], query: Mapping[str, Any], *, any_shape: bool) -> Record:
        # Asked for only where it is needed: it takes a right of its own.
        return {"bypass_document_validation": True} if any_shape and await self.malformed(kind, query) else {}

    async def delete_many(self, kind: type[Document], query: Mapping[str, Any]) -> int:
        """Delete every document that matches; return how many there were."""
        with pymongo.timeout(self._timeout):
            result = await _ended(self._collection(kind).delete_many(query, session=_session.get()))
        return result.deleted_count

    async def write_many(
        self, kind: type[Document], writes: Sequence[Write], *, any_shape: Sequence[str] = ()
    ) -> tuple[int, list[int]]:
        """Send independent writes in one go.

        `any_shape` are the ids of documents that are changed also when others wrote them malformed and they stay so.
        Returns how many documents were inserted, matched or deleted, and the positions in `writes` of
        those refused because a unique key is taken. Any other failure is raised.
        """
        if not writes:
            return 0, []
        past = await self._past_validation(kind, {"_id": {"$in": list(any_shape)}}, any_shape=bool(any_shape))
        try:
            with pymongo.timeout(self._timeout * BULK_TIMEOUT_FACTOR):
                collection = self._collection(kind)
                result = await _ended(collection.bulk_write(writes, ordered=False, session=_session.get(), **past))
        except BulkWriteError as error:
            refused = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(item["code"] != _DUPLICATE_KEY for item in refused):
                raise
            done = sum(error.details[count] for count in ("nInserted", "nMatched", "nRemoved"))
            return done, [item["index"] for item in refused]
        return result.inserted_count + result.matched_count + result.deleted_count, []

    async def create_indexes(self, collection: str, indexes: Sequence[IndexModel]) -> None:
        """Create indexes; waits as long as the server needs to build them.

        Raises ConflictError when an index is unique and what is stored is not.
        """
        try:
            await self._database[collection].create_indexes(list(indexes))
        except DuplicateKeyError:
            names = ", ".join(index.document["name"] for index in indexes)
            raise ConflictError(
                f"The index {collection}.{names} can't be made: the collection holds values twice that must be unique."
            ) from None

    async def collection_options(self) -> dict[str, Record]:
        """Return the options of every collection and view, by its name."""
        with pymongo.timeout(self._timeout):
            found = await self._database.list_collections()
            return {described["name"]: described.get("options", {}) async for described in found}

    async def set_validator(self, collection: str, validator: Mapping[str, Any]) -> None:
        """Let a collection have this validator, and make the collection when there is none.

        Where it had another validator, level and action stay as they are. When the database user may not do this,
        nothing is done.
        """
        await self._create_or_modify(collection, {"validator": validator})

    async def put_view(self, name: str, source: str, pipeline: Pipeline) -> None:
        """Create a view, or give it another definition.

        When the database user may not do this, nothing is done.
        """
        await self._create_or_modify(name, {"viewOn": source, "pipeline": list(pipeline)})

    async def _create_or_modify(self, name: str, options: Record) -> None:
        options = {**options, **_DURABLY}
        with pymongo.timeout(self._timeout):
            try:
                try:
                    await self._database.command({"create": name, **options})
                except OperationFailure as error:
                    if error.code != _NAMESPACE_EXISTS:
                        raise
                    await self._database.command({"collMod": name, **options})
            except OperationFailure as error:
                if error.code != _UNAUTHORIZED:
                    raise
                log.warning("this database user may not set up %s, which takes create and collMod", name)

    async def list_indexes(self, collection: str) -> list[Record]:
        """Return the live indexes as the server describes them; empty for an absent collection."""
        with pymongo.timeout(self._timeout):
            try:
                return [dict(index) async for index in self._database[collection].list_indexes()]
            except OperationFailure as error:
                if error.code == _NAMESPACE_NOT_FOUND:
                    return []
                raise


async def _ended(call: Awaitable[T]) -> T:
    """Await a call and return what it returns; within a transaction, await its end also when cancelled.

    Its thread goes on all the same. What it sends after the transaction was given up would begin it anew, for nobody to
    end, or be written without it.
    """
    if _session.get() is None:
        return await call
    running = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.gather(running, return_exceptions=True)
        raise


async def _committed(session: AsyncIOMotorClientSession, work: Callable[[], Awaitable[T]]) -> T:
    session.start_transaction()
    result = await work()
    while True:
        try:
            await session.commit_transaction()
        except PyMongoError as error:
            # The same commit can be sent again, and takes effect once.
            if error.timeout or not error.has_error_label(_UNKNOWN_COMMIT):
                raise
        else:
            return result


async def _abort(session: AsyncIOMotorClientSession) -> None:
    if session.delegate.in_transaction:
        await session.abort_transaction()


def _passes(error: PyMongoError) -> bool:
    """Say whether what failed may be tried again from where it was."""
    if not isinstance(error, OperationFailure):
        return True
    return error.code in _CURSOR_CODES or error.has_error_label("ResumableChangeStreamError")


def insert_one(document: Record) -> Write:
    """Return the write that stores a new document."""
    return InsertOne(document)


def update_one(query: Mapping[str, Any], change: Mapping[str, Any]) -> Write:
    """Return the write that changes the one document that matches, if there is one."""
    return UpdateOne(query, change)


def delete_one(query: Mapping[str, Any]) -> Write:
    """Return the write that deletes the one document that matches, if there is one."""
    return DeleteOne(query)


def stored(document: Document) -> Record:
    """Return a document as it is written: `_id` first, whole numbers that count as 64-bit."""
    whole = {"_id": document.id, **document.model_dump(exclude={"id", "revision_id"})}
    if "version" in whole:
        whole["version"] = int64(whole["version"])
    return whole
