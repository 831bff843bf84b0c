"""One connection pool, and one database and its collections on it."""

from typing import Any, Self

import pymongo
from beanie import Document, init_beanie
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import InvalidURI

from documents import DOCUMENTS
from service.database.exact_bson import RAW, STORED, Record
from service.errors import ConfigurationError

CLOSE_SECONDS = 1.0
MAJORITY = WriteConcern(w="majority", j=True)
# These override the options of a URI. Transactions use the write concern of the client, not that of the database.
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
    # A member that hangs with its connections open is noticed after both of these together; with the driver's
    # defaults, after 30 seconds. Until then, each call sent to it keeps its connection until its deadline.
    "heartbeatFrequencyMS": 2000,
    "connectTimeoutMS": 3000,
}


class Connection:
    """A connection pool bound to one database; `timeout` is the seconds that a call may take."""

    def __init__(self, client: AsyncIOMotorClient[Record], name: str, timeout: float) -> None:
        """Bind to the database `name` of a client."""
        self.client = client
        self.timeout = timeout
        self.database: AsyncIOMotorDatabase[Record] = client.get_database(
            name, codec_options=STORED, write_concern=MAJORITY
        )
        self._opened = False
        self._collections: dict[type[Document], AsyncIOMotorCollection[Record]] = {}
        self._raw_collections: dict[type[Document], Collection[Any]] = {}

    @classmethod
    def to(cls, uri: str, name: str, timeout: float, **options: Any) -> Self:
        """Make a connection pool; nothing is sent yet. `options` go to the driver's client."""
        try:
            client: AsyncIOMotorClient[Record] = AsyncIOMotorClient(uri, **{**_DEFAULTS, **options, **_PROMISED})
        except (InvalidURI, ValueError):
            # The driver's message can quote a part of the password.
            raise ConfigurationError(
                "MODELDECK_MONGODB_URI: is not a MongoDB URI; user name and password must be percent-encoded."
            ) from None
        return cls(client, name, timeout)

    async def open(self) -> None:
        """Bind the document classes to this database, once. `indexes` makes the indexes, not Beanie."""
        if self._opened:
            return
        await init_beanie(database=self.database, document_models=list(DOCUMENTS), skip_indexes=True)
        self._opened = True

    def renew(self) -> None:
        """Use no connection again that is open now; those in use are closed afterwards."""
        # The driver offers no other way: it keeps what a server said of itself when they connected.
        for server in self.client.delegate._topology._servers.values():
            server.pool.reset_without_pause()

    def close(self) -> None:
        """Close every connection, after telling the server, if it answers, that the sessions are over."""
        with pymongo.timeout(CLOSE_SECONDS):
            self.client.close()

    def collection(self, kind: type[Document]) -> AsyncIOMotorCollection[Record]:
        """Return the collection of a document class."""
        # Cached: making one takes the driver a tenth of the time of a call.
        if kind not in self._collections:
            name = kind.get_settings().name
            assert name is not None  # noqa: S101  # every document class of ours names its collection
            self._collections[kind] = self.database[name]
        return self._collections[kind]

    def raw_collection(self, kind: type[Document]) -> Collection[Any]:
        """Return the collection of a document class for reads that block, and leave the BSON undecoded."""
        if kind not in self._raw_collections:
            self._raw_collections[kind] = self.collection(kind).delegate.with_options(codec_options=RAW)
        return self._raw_collections[kind]
