"""The models in what followers are shown: each read and rendered once for all who see it alike."""

import asyncio
from collections import OrderedDict
from typing import Any

from documents import ModelRecord, Revision, User
from documents.freeform import json_bytes
from service.background import BackgroundTasks
from service.changes.entries import ModelChange
from service.database.client import Database
from service.database.exact_bson import Record
from service.http.root_path import current_root_path
from service.models.history.contents import recorded_content
from service.models.item import ITEM_STAGES, NEEDED_OF_OWNER, item_with

# Of all that is rendered, the latest is kept: followers who are a little behind find it there.
MAX_KEPT_BYTES, BYTES_BESIDES = 8_000_000, 500


class Contents:
    """Renders models as they were after a change."""

    def __init__(
        self, database: Database, background: BackgroundTasks, *, readers_see_params: bool, root_path: str
    ) -> None:
        self._database = database
        self._background = background
        self._readers_see_params = readers_see_params
        self._root_path = root_path
        self._kept: OrderedDict[tuple[str, bool], bytes | None] = OrderedDict()
        self._kept_bytes = 0
        self._rendering: dict[tuple[str, bool], asyncio.Future[bytes | None]] = {}

    async def item(self, change: ModelChange, *, write_access: bool) -> bytes | None:
        """Return the model after a change as JSON, as the list shows it to who may, or may not, write it.

        None when its content can't be found out any more.
        """
        key = change.revision_id, write_access
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._rendering:
            future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
            # Retrieve the exception, so that asyncio does not warn when nobody waits any more.
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._rendering[key] = future
            # In the background, where no deadline of the first who asks ends it for the others.
            self._background.start(self._render(change, key, future))
        return await asyncio.shield(self._rendering[key])

    async def _render(self, change: ModelChange, key: tuple[str, bool], future: "asyncio.Future[bytes | None]") -> None:
        # As in a request: links in the model begin with it.
        current_root_path.set(self._root_path)
        try:
            record = await record_after(self._database, change)
            shown = None
            if record is not None:
                item = item_with(record, write_access=key[1], readers_see_params=self._readers_see_params)
                shown = json_bytes(item)
            self._keep(key, shown)
            future.set_result(shown)
        except Exception as error:  # those who wait raise it
            future.set_exception(error)
        finally:
            del self._rendering[key]
            future.cancel()

    def _keep(self, key: tuple[str, bool], shown: bytes | None) -> None:
        self._kept[key] = shown
        self._kept_bytes += _size(shown)
        while self._kept_bytes > MAX_KEPT_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= _size(dropped)


def _size(shown: bytes | None) -> int:
    return BYTES_BESIDES + len(shown or b"")


async def record_after(database: Database, change: ModelChange) -> Record | None:
    """Return the record of a model after a change, with its owner, as `item_with` takes it; None if it isn't known.

    When the model was changed again or deleted since, its content comes from its revisions.
    """
    match = {"$match": {"_id": change.model_id, "version": change.version}}
    if found := await database.aggregate(ModelRecord, [match, *ITEM_STAGES]):
        return found[0]
    content = await recorded_content(database, change.model_id, change.version)
    if content is None:
        return None
    owners = await database.find(User, {"_id": content.get("user_id")}, fields=_OWNER_FIELDS)
    return {
        "_id": change.model_id,
        **content,
        "owner": owners,
        "version": change.version,
        "created_at": await _created_at(database, change),
        "updated_at": change.at,
    }


_OWNER_FIELDS = [name.removeprefix("owner.") for name in NEEDED_OF_OWNER]


async def _created_at(database: Database, change: ModelChange) -> Any:
    """Return when a model was created that has been changed or deleted since."""
    until = {"model_id": change.model_id, "version": {"$lte": change.version}, "fields": None, "before": None}
    created = await database.find(Revision, until, fields=["at", "version"], sort=[("version", -1)], limit=1)
    deletions = {"model_id": change.model_id, "version": {"$gt": change.version}, "fields": None, "after": None}
    if not await database.count(Revision, deletions):
        # The record can have come with an earlier time.
        found = await database.find(ModelRecord, {"_id": change.model_id}, fields=["created_at"])
        if found:
            return found[0].get("created_at")
    return created[0]["at"] if created else change.at
