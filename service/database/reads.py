"""Reading: aggregations, documents, and batches of them."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

from beanie import Document
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from indexes.validators import VALIDATORS
from service.database.calls import Calls
from service.database.change_streams import ClusterTime
from service.database.exact_bson import RAW, Encoded, Record, decode_exactly

log = logging.getLogger("modeldeck")

D = TypeVar("D", bound=Document)

Pipeline = Sequence[Mapping[str, Any]]
_BAD_VALUE = 2
# A whole batch is in memory, several times over, and a document can have 500 KB.
BATCH_BYTES = 1_000_000
_BYTES_BEFORE = "__bytes_before"
# Keeps the first documents of a batch, up to the one that exceeds the bytes.
_WITHIN_BYTES: list[dict[str, Any]] = [
    {"$set": {_BYTES_BEFORE: {"$bsonSize": "$$ROOT"}}},
    {
        "$setWindowFields": {
            "sortBy": {"_id": 1},
            "output": {_BYTES_BEFORE: {"$sum": f"${_BYTES_BEFORE}", "window": {"documents": ["unbounded", -1]}}},
        }
    },
    {"$match": {_BYTES_BEFORE: {"$lt": BATCH_BYTES}}},
    {"$unset": _BYTES_BEFORE},
]


class Reads:
    """Reads documents, free-form values exactly as they are stored."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._collection = calls.connection.collection
        self._raw_collection = calls.connection.raw_collection

    async def aggregate(
        self, kind: type[Document], pipeline: Pipeline, *, hint: str | None = None, seconds: float | None = None
    ) -> list[Record]:
        """Run one aggregation within `seconds`; return all documents that it yields.

        `hint` names the index to use; while that index does not exist, the server chooses.
        """
        return await (await self.aggregate_encoded(kind, pipeline, hint=hint, seconds=seconds)).decoded()

    async def aggregate_encoded(
        self, kind: type[Document], pipeline: Pipeline, *, hint: str | None = None, seconds: float | None = None
    ) -> Encoded:
        """Run one aggregation as `aggregate` does, but leave what it yields encoded."""
        try:
            return await self._aggregate(kind, pipeline, {"hint": hint} if hint else {}, seconds)
        except OperationFailure as error:
            if not hint or error.code != _BAD_VALUE or "hint" not in str(error):
                raise
            log.warning("the index %s is missing; run: modeldeck indexes check", hint)
            return await self._aggregate(kind, pipeline, {}, seconds)

    async def _aggregate(
        self, kind: type[Document], pipeline: Pipeline, options: Record, seconds: float | None
    ) -> Encoded:
        collection = self._raw_collection(kind)
        return Encoded(
            await self._calls.read(
                lambda session: list(collection.aggregate(pipeline, session=session, **options)), seconds
            )
        )

    async def aggregate_at_one_moment(
        self, kind: type[Document], pipeline: Pipeline, *, most: int, seconds: float | None = None
    ) -> tuple[list[Record], ClusterTime]:
        """Run one aggregation that yields at most so many documents; return them, and the moment as of which they are.

        All that was committed until then counts, and nothing that was committed later.
        """
        command = {
            "aggregate": self._collection(kind).name,
            "pipeline": list(pipeline),
            "cursor": {"batchSize": most + 1},
            "readConcern": {"level": "snapshot"},
        }
        database = self._calls.connection.database
        reply = decode_exactly(
            await self._calls.call(
                lambda session: database.command(command, codec_options=RAW, session=session), seconds
            )
        )
        moment = reply["cursor"]["atClusterTime"]
        return reply["cursor"]["firstBatch"], ClusterTime(moment.time, moment.inc)

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
        collection = self._raw_collection(kind)

        def read(session: ClientSession | None) -> list[Any]:
            cursor = collection.find(query, fields, skip=skip, limit=limit, session=session)
            return list(cursor.sort(list(sort)) if sort else cursor)

        return await Encoded(await self._calls.read(read)).decoded()

    async def count(self, kind: type[Document], query: Mapping[str, Any]) -> int:
        """Return how many documents match."""
        return await self._calls.call(lambda session: self._collection(kind).count_documents(query, session=session))

    async def estimated_count(self, kind: type[Document]) -> int:
        """Return how many documents there are about: exact, unless the server has crashed."""
        return await self._calls.call(lambda _: self._collection(kind).estimated_document_count())

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
        """Yield the documents that match in batches, as `batches` does, each changed by `stages`.

        A batch has at most some `BATCH_BYTES`, or one document. `stages` must keep every document and its `_id`.
        """
        after: Mapping[str, Any] = {}
        limit = size
        while found := await self.aggregate(
            kind,
            [{"$match": {"$and": [query, after]}}, {"$sort": {"_id": 1}}, {"$limit": limit}, *_WITHIN_BYTES, *stages],
        ):
            yield found
            after = {"_id": {"$gt": found[-1]["_id"]}}
            # The server reads those that do not fit too, and again for the next batch.
            limit = min(size, 2 * len(found))

    async def get(self, kind: type[D], query: Mapping[str, Any]) -> D | None:
        """Return the one document that matches, validated, or None."""
        found = await self.find(kind, query, limit=1)
        return kind.model_validate(found[0]) if found else None

    async def malformed(
        self, kind: type[Document], query: Mapping[str, Any], rule: Mapping[str, Any] | None = None
    ) -> list[Any]:
        """Return the ids of the documents that match `query` and break the declared validator, or another `rule`."""
        malformed = {"$nor": [rule or VALIDATORS[self._collection(kind).name]]}
        return [found["_id"] for found in await self.find(kind, {"$and": [query, malformed]}, fields=["_id"])]
