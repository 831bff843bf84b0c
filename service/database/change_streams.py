"""Follows the changes of the database in the order of their commits, also through outages."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from bson import Timestamp
from pymongo.errors import OperationFailure, PyMongoError

from service.database.connection import Connection
from service.database.exact_bson import RAW, decode_exactly
from service.errors import ConfigurationError

log = logging.getLogger("modeldeck")

Event = Mapping[str, Any]
Stages = Sequence[Mapping[str, Any]]
_CHANGES_LOST, _NO_SUCH_BEGINNING = 286, 260
_LOST = "The changes after that token are no longer kept: start again with an export."
# A cursor that is gone or was killed can be opened again; the changes are still there.
_CURSOR_CODES = {43, 237, 11601}
_CHANGES = ["insert", "update", "replace", "delete"]
CHANGES_AWAIT_MS = 250
RETRY_SECONDS = 0.5
# Of a token: a byte for its type, then the seconds and the number of the operation within them.
_TOKEN_SECONDS, _TOKEN_ORDINAL = slice(2, 10), slice(10, 18)


def changed_names(event: Event) -> list[str]:
    """Return the names of the fields that an update has set, removed or shortened."""
    description = event.get("updateDescription") or {}
    changes = [*description.get("updatedFields", ()), *description.get("removedFields", ())]
    changes += [array["field"] for array in description.get("truncatedArrays") or ()]
    return list(dict.fromkeys(name.partition(".")[0] for name in changes))


class ClusterTime(NamedTuple):
    """A moment of the cluster: by these, all committed changes and all snapshots are in one order."""

    seconds: int
    ordinal: int

    @classmethod
    def of_token(cls, token: str) -> "ClusterTime":
        """Return the moment that a token of a change stream is about."""
        return cls(int(token[_TOKEN_SECONDS], 16), int(token[_TOKEN_ORDINAL], 16))


class ChangesLostError(ConfigurationError):
    """The server no longer keeps the changes since then."""

    def __init__(self) -> None:
        super().__init__(_LOST)


class ChangeStreams:
    """Reads change streams."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def changes(
        self,
        stages: Stages,
        *,
        after: str | None = None,
        since: ClusterTime | None = None,
        with_documents: bool = False,
    ) -> AsyncIterator[tuple[str, Event | None]]:
        """Yield the changes of the database that pass some stages, without end, each with the token to resume after it.

        Starts after the change with the token `after`, at the moment `since`, or now. While nothing changes, it yields
        tokens without a change, the first as soon as no later change can be missed. Once started, it survives outages.
        `with_documents` looks up the document of an update. Raises ChangesLostError for a beginning that is too old,
        and ConfigurationError for a token that can't be used.
        """
        begin: dict[str, Any] = {"start_after": {"_data": after}} if after else {}
        if since is not None:
            begin["start_at_operation_time"] = Timestamp(*since)
        if with_documents:
            begin["full_document"] = "updateLookup"
        started = False
        while True:
            try:
                async for token, event in self._stream(stages, begin):
                    begin.pop("start_at_operation_time", None)
                    begin["start_after"], started = {"_data": token}, True
                    yield token, event
            except PyMongoError as error:
                code = error.code if isinstance(error, OperationFailure) else None
                # Seen, rarely, where a stream began before the first entries of a new replica set.
                if code == _CHANGES_LOST or (code == _NO_SUCH_BEGINNING and since is not None and not started):
                    raise ChangesLostError from None
                if not started and after is not None and isinstance(error, OperationFailure):
                    raise ConfigurationError(f"The token can't be used here: {error}") from None
                if not started or not _is_resumable(error):
                    raise
                log.warning("the database can't be reached; waiting for it")
                await asyncio.sleep(RETRY_SECONDS)

    async def _stream(self, stages: Stages, begin: Mapping[str, Any]) -> AsyncIterator[tuple[str, Event | None]]:
        pipeline = [{"$match": {"operationType": {"$in": _CHANGES}}}, *stages]
        database = self._connection.database.with_options(codec_options=RAW)
        stream: Any
        async with database.watch(pipeline, max_await_time_ms=CHANGES_AWAIT_MS, **begin) as stream:
            while stream.alive:
                event = await stream.try_next()
                token = event["_id"] if event else stream.resume_token
                yield token["_data"], decode_exactly(event) if event else None


def _is_resumable(error: PyMongoError) -> bool:
    """Return whether the stream can be opened again after the last token."""
    if not isinstance(error, OperationFailure):
        return True
    return error.code in _CURSOR_CODES or error.has_error_label("ResumableChangeStreamError")
