"""Follows the changes of a collection, also through outages of the database."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from beanie import Document
from pymongo.errors import OperationFailure, PyMongoError

from service.database.connection import Connection
from service.database.exact_bson import RAW, decode_exactly
from service.errors import ConfigurationError

log = logging.getLogger("modeldeck")

Event = Mapping[str, Any]
_CHANGES_LOST = 286
_LOST = "The changes after that token are no longer kept: start again with an export."
# A cursor that is gone or was killed can be opened again; the changes are still there.
_CURSOR_CODES = {43, 237, 11601}
_CHANGES = ["insert", "update", "replace", "delete"]
CHANGES_AWAIT_MS = 500
RETRY_SECONDS = 0.5


class ChangeStreams:
    """Reads change streams."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def changes(self, kind: type[Document], after: str | None) -> AsyncIterator[tuple[str, Event | None]]:
        """Yield the changes of a collection without end, each with the token from which to resume after it.

        Starts after the change with the token `after`, or now. While nothing changes, it yields tokens without a
        change, the first as soon as no later change can be missed. Once started, it survives outages. Raises
        ConfigurationError for a token that can't be used, or is too old.
        """
        last, started = after, False
        while True:
            try:
                async for token, event in self._stream(kind, last):
                    last, started = token, True
                    yield token, event
            except PyMongoError as error:
                if isinstance(error, OperationFailure) and error.code == _CHANGES_LOST:
                    raise ConfigurationError(_LOST) from None
                if not started and last is not None and isinstance(error, OperationFailure):
                    raise ConfigurationError(f"The token can't be used here: {error}") from None
                if not started or not _is_resumable(error):
                    raise
                log.warning("the database can't be reached; waiting for it")
                await asyncio.sleep(RETRY_SECONDS)

    async def _stream(self, kind: type[Document], after: str | None) -> AsyncIterator[tuple[str, Event | None]]:
        pipeline = [{"$match": {"operationType": {"$in": _CHANGES}}}]
        start = {"_data": after} if after else None
        collection = self._connection.collection(kind).with_options(codec_options=RAW)
        async with collection.watch(
            pipeline, "updateLookup", max_await_time_ms=CHANGES_AWAIT_MS, start_after=start
        ) as stream:
            while stream.alive:
                event = await stream.try_next()
                token = event["_id"] if event else stream.resume_token
                yield token["_data"], decode_exactly(event) if event else None


def _is_resumable(error: PyMongoError) -> bool:
    """Return whether the stream can be opened again after the last token."""
    if not isinstance(error, OperationFailure):
        return True
    return error.code in _CURSOR_CODES or error.has_error_label("ResumableChangeStreamError")
