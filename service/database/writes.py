"""Writing: single documents, and many in one go."""

from collections.abc import Mapping, Sequence
from typing import Any

from beanie import Document
from pymongo import DeleteOne, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.results import UpdateResult

from service.database.calls import Calls
from service.database.exact_bson import Record, int64
from service.database.reads import Pipeline, Reads
from service.database.work_context import BULK_TIMEOUT_FACTOR

Write = InsertOne[Record] | UpdateOne | DeleteOne
Update = Mapping[str, Any] | Pipeline
_DUPLICATE_KEY = 11000

# One write of `write_many`: a new document, a change of the one document that matches, or its deletion.
insert_one: type[InsertOne[Record]] = InsertOne
update_one = UpdateOne
delete_one = DeleteOne


class Writes:
    """Inserts, updates and deletes documents."""

    def __init__(self, calls: Calls, reads: Reads) -> None:
        self._calls = calls
        self._collection = calls.connection.collection
        self._timeout = calls.connection.timeout
        self._reads = reads

    async def insert(self, document: Document) -> bool:
        """Store a new document; return False when its id or another unique field is taken."""
        return await self.insert_record(type(document), stored(document))

    async def insert_record(self, kind: type[Document], record: Record) -> bool:
        """Store a new document that is already in its stored form; return False when its id is taken."""
        try:
            await self._calls.change(lambda session: self._collection(kind).insert_one(record, session=session))
        except DuplicateKeyError:
            return False
        return True

    async def update_one(
        self, kind: type[Document], query: Mapping[str, Any], change: Update, *, any_shape: bool = False
    ) -> bool:
        """Change the one document that matches; return whether there was one.

        With `any_shape`, a document that was written past the service and breaks the validator can be changed too.
        """
        return await self._update("update_one", kind, query, change, any_shape=any_shape) == 1

    async def update_many(
        self, kind: type[Document], query: Mapping[str, Any], change: Update, *, any_shape: bool = False
    ) -> int:
        """Change every document that matches; return how many there were. `any_shape` as in `update_one`."""
        return await self._update("update_many", kind, query, change, any_shape=any_shape)

    async def _update(
        self, method: str, kind: type[Document], query: Mapping[str, Any], change: Update, *, any_shape: bool
    ) -> int:
        options = await self._validation_options(kind, query, any_shape=any_shape)
        update = getattr(self._collection(kind), method)
        done: UpdateResult = await self._calls.change(lambda session: update(query, change, session=session, **options))
        return done.matched_count

    async def _validation_options(self, kind: type[Document], query: Mapping[str, Any], *, any_shape: bool) -> Record:
        # Bypassed only where it is needed, since that takes a privilege of its own.
        bypass = any_shape and await self._reads.malformed(kind, query)
        return {"bypass_document_validation": True} if bypass else {}

    async def delete_many(self, kind: type[Document], query: Mapping[str, Any]) -> int:
        """Delete every document that matches; return how many there were."""
        result = await self._calls.change(lambda session: self._collection(kind).delete_many(query, session=session))
        return result.deleted_count

    async def write_many(
        self, kind: type[Document], writes: Sequence[Write], *, any_shape: Sequence[str] = ()
    ) -> tuple[int, list[int]]:
        """Send independent writes together.

        `any_shape` are the ids of documents that can be changed although they break the validator, as in `update_one`.
        Returns how many documents were inserted, matched or deleted, and the positions in `writes` of those refused
        because a unique key is taken. In a transaction, the first refusal ends the transaction and is the only one
        returned. Any other failure is raised.
        """
        if not writes:
            return 0, []
        options = await self._validation_options(kind, {"_id": {"$in": list(any_shape)}}, any_shape=bool(any_shape))
        # In a transaction in order: a write after the refused one would fail with an error that looks transient.
        ordered = self._calls.transacting
        try:
            result = await self._calls.change(
                lambda session: self._collection(kind).bulk_write(writes, ordered=ordered, session=session, **options),
                self._timeout * BULK_TIMEOUT_FACTOR,
            )
        except BulkWriteError as error:
            refused = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(item["code"] != _DUPLICATE_KEY for item in refused):
                raise
            done = sum(error.details[count] for count in ("nInserted", "nMatched", "nRemoved"))
            return done, [item["index"] for item in refused]
        return result.inserted_count + result.matched_count + result.deleted_count, []


def stored(document: Document) -> Record:
    """Return a document as it is written: `_id` first, `version` as a 64-bit integer."""
    whole = {"_id": document.id, **document.model_dump(exclude={"id", "revision_id"})}
    if "version" in whole:
        whole["version"] = int64(whole["version"])
    return whole
