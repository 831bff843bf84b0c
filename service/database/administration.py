"""Commands about the database itself: indexes, validators, views and users."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pymongo
from pymongo import IndexModel
from pymongo.errors import AutoReconnect, DuplicateKeyError, OperationFailure

from indexes.drift import BUILDING
from service.database.calls import Calls
from service.database.connection import MAJORITY
from service.database.exact_bson import Record
from service.database.reads import Pipeline
from service.database.work_context import within_deadline
from service.errors import ConflictError

log = logging.getLogger("modeldeck")

_DURABLY = {"writeConcern": MAJORITY.document}
_NAMESPACE_NOT_FOUND, _NAMESPACE_EXISTS = 26, 48
_UNAUTHORIZED, _INDEX_NOT_FOUND, _TIMED_OUT, _BUILDS_RUN = 13, 27, 50, 12587
# A day: long enough for any index, and a bound for a server that does not answer any more.
BUILD_SECONDS = 86_400.0
ASK_AGAIN_SECONDS = 1.0


class Administration:
    """Creates, changes and lists what is declared of collections and views."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._database = calls.connection.database
        self._timeout = calls.connection.timeout

    async def command(self, command: Record) -> Record:
        """Run an administrative command, durably where it writes, and return the server's reply."""
        only_reads = next(iter(command)).endswith(("Info", "Status"))
        sent = command if only_reads else {**command, **_DURABLY}
        return await self._calls.call(lambda session: self._database.command(sent, session=session))

    async def accepts_writes(self) -> bool:
        """Return whether the server, if it is a member of a replica set, is its primary."""
        reply = await self._calls.call(lambda session: self._database.command("hello", session=session))
        return bool(reply.get("isWritablePrimary"))

    async def create_indexes(self, collection: str, indexes: Sequence[IndexModel]) -> None:
        """Create indexes, and wait until the server has built them, which may take hours.

        Raises ConflictError when an index is unique and the stored values are not.
        """
        names = [index.document["name"] for index in indexes]
        try:
            while True:
                if await self._built(collection, indexes):
                    return
                # The server builds on when the connection is lost. Asked for them again, it waits for that.
                await asyncio.sleep(ASK_AGAIN_SECONDS)
        except DuplicateKeyError:
            raise ConflictError(
                f"The index {collection}.{', '.join(names)} can't be created: values that must be unique occur more "
                "than once."
            ) from None

    async def _built(self, collection: str, indexes: Sequence[IndexModel]) -> bool:
        """Build indexes, and return whether they are ready; False when the connection was lost meanwhile.

        Raises the error of the lost connection when the server does not go on.
        """
        wanted = self._database[collection]
        try:
            await self._calls.call(lambda session: wanted.create_indexes(list(indexes), session=session), BUILD_SECONDS)
        except AutoReconnect:
            found = {index["name"]: BUILDING in index for index in await self.list_indexes(collection)}
            waited_for = [found.get(index.document["name"]) for index in indexes]
            if None in waited_for:
                raise
            return not any(waited_for)
        return True

    async def drop_indexes(self, collection: str, names: Sequence[str]) -> bool:
        """Drop indexes, and return whether they were dropped.

        They stay when the database user may not do this, somebody else drops or builds some of them, or holds the
        collection for longer than a call may take.
        """
        try:
            await self.command({"dropIndexes": collection, "index": list(names)})
        except OperationFailure as error:
            if error.code not in (_UNAUTHORIZED, _INDEX_NOT_FOUND, _TIMED_OUT, _BUILDS_RUN):
                raise
            return False
        return True

    async def collection_options(self) -> dict[str, Record]:
        """Return the options of every collection and view by name."""
        with pymongo.timeout(within_deadline(self._timeout)):
            found = await self._database.list_collections()
            return {described["name"]: described.get("options", {}) async for described in found}

    async def collection_uuid(self, collection: str) -> bytes:
        """Return the random id that the server gave a collection when it was created; empty when it is absent."""
        with pymongo.timeout(within_deadline(self._timeout)):
            found = await self._database.list_collections(filter={"name": collection})
            async for described in found:
                return bytes(described["info"]["uuid"])
        return b""

    async def set_validator(self, collection: str, validator: Mapping[str, Any]) -> None:
        """Set the validator of a collection, which is created when absent.

        An existing validator keeps its level and action. When the database user may not do this, log a warning.
        """
        await self._create_or_modify(collection, {"validator": validator})

    async def put_view(self, name: str, source: str, pipeline: Pipeline) -> None:
        """Create a view, or change its definition. When the database user may not do this, log a warning."""
        await self._create_or_modify(name, {"viewOn": source, "pipeline": list(pipeline)})

    async def _create_or_modify(self, name: str, options: Record) -> None:
        options = {**options, **_DURABLY}
        with pymongo.timeout(within_deadline(self._timeout)):
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
                log.warning("the database user may not set up %s; this takes the actions create and collMod", name)

    async def list_indexes(self, collection: str) -> list[Record]:
        """Return the indexes as the server describes them; none for an absent collection.

        Those that it has not finished yet are described with `building`.
        """
        with pymongo.timeout(within_deadline(self._timeout)):
            try:
                # Without the option, it describes unfinished indexes like finished ones.
                found = await self._database.command("listIndexes", collection, includeBuildUUIDs=True)
            except OperationFailure as error:
                if error.code == _NAMESPACE_NOT_FOUND:
                    return []
                raise
        # A collection has at most 64 indexes, all of them in the first batch.
        return [
            {**index["spec"], BUILDING: True} if "buildUUID" in index else dict(index)
            for index in found["cursor"]["firstBatch"]
        ]
