"""One connection pool and one database on it: made, opened, closed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Self
from weakref import WeakValueDictionary

import pymongo
from beanie import Document, init_beanie
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import WriteConcern
from pymongo.errors import InvalidURI

from documents import DOCUMENTS
from service.database.deadline import within_deadline
from service.database.exact_bson import RAW, STORED, Record
from service.errors import BusyError, ConfigurationError

# The transaction, or the snapshot, in which the calls of this task take part, if any.
current_session: ContextVar[AsyncIOMotorClientSession | None] = ContextVar("session", default=None)

MAJORITY = WriteConcern(w="majority", j=True)
# What a URI can't take back. Transactions are written with the concern of the client, not of the database.
_PROMISED: Record = {
    "w": "majority",
    "journal": True,
    "retryWrites": True,
    "retryReads": True,
    "readPreference": "primary",
}
_DEFAULTS: Record = {
    "appname": "modeldeck",
    "serverSelectionTimeoutMS": 5000,
    "maxPoolSize": 200,
    # A member that hangs with its connections open is noticed after both of these together, 30 seconds by default.
    # Until then, whatever was sent to it holds its place to the end of its deadline.
    "heartbeatFrequencyMS": 2000,
    "connectTimeoutMS": 3000,
}
BULK_TIMEOUT_FACTOR = 6


class Connection:
    """A connection pool; its calls are bounded by `timeout` seconds each."""

    def __init__(self, client: AsyncIOMotorClient[Record], name: str, timeout: float, *, patience: float = 0.0) -> None:
        """Bind to the database `name` of a client; `patience` is as for `connect`."""
        self._client = client
        self._timeout = timeout
        self._patience = patience
        self._collections: dict[type[Document] | str, AsyncIOMotorCollection[Record]] = {}
        self._read: dict[type[Document], AsyncIOMotorCollection[Any]] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._database: AsyncIOMotorDatabase[Record] = client.get_database(
            name, codec_options=STORED, write_concern=MAJORITY
        )

    @classmethod
    def connect(cls, uri: str, name: str, timeout: float, *, patience: float = 0.0, **options: Any) -> Self:
        """Make a connection pool; nothing is sent yet. `options` go to the driver's client.

        `patience` is for how many seconds, at least, a transaction is tried again while others hold what it wants.
        """
        try:
            client: AsyncIOMotorClient[Record] = AsyncIOMotorClient(uri, **{**_DEFAULTS, **options, **_PROMISED})
        except (InvalidURI, ValueError):
            # The driver's own words can quote a part of the password.
            raise ConfigurationError(
                "MODELDECK_MONGODB_URI: is not a MongoDB URI; user name and password must be percent-encoded."
            ) from None
        return cls(client, name, timeout, patience=patience)

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
        # Kept: the driver makes a new one each time it is asked, which takes a tenth of a call.
        if kind not in self._collections:
            name = kind if isinstance(kind, str) else kind.get_settings().name
            assert name is not None  # noqa: S101  # every document of ours names its collection
            self._collections[kind] = self._database[name]
        return self._collections[kind]

    def _for_reading(self, kind: type[Document]) -> AsyncIOMotorCollection[Any]:
        if kind not in self._read:
            self._read[kind] = self._collection(kind).with_options(codec_options=RAW)
        return self._read[kind]

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Let one task of this process at a time into a block of the same name; raise BusyError after a while."""
        lock = self._turns.setdefault(name, asyncio.Lock())
        try:
            async with asyncio.timeout(within_deadline(self._timeout)):
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

    @property
    def timeout(self) -> float:
        """The seconds after which a call is given up."""
        return self._timeout
