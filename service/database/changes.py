"""Following the changes of a collection through outages."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from beanie import Document
from pymongo.errors import OperationFailure, PyMongoError

from service.database.connection import Connection
from service.database.exact_bson import decode_exactly
from service.errors import ConfigurationError

log = logging.getLogger("modeldeck")


Event = Mapping[str, Any]
_CHANGES_LOST = 286
_LOST = "The changes after that token are not kept any more: begin anew, with an export of what there is."
# A cursor that is gone, or was ended by the server, says nothing of the changes.
_CURSOR_CODES = {43, 237, 11601}
_CHANGES = ["insert", "update", "replace", "delete"]
CHANGES_AWAIT_MS = 500
RETRY_SECONDS = 0.5


class Changes(Connection):
    """The changes of a collection, as they happen."""

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


def _passes(error: PyMongoError) -> bool:
    """Say whether what failed may be tried again from where it was."""
    if not isinstance(error, OperationFailure):
        return True
    return error.code in _CURSOR_CODES or error.has_error_label("ResumableChangeStreamError")
