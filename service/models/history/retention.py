"""Removing revisions after a time, and measuring how large the history is."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from documents import Revision
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record

log = logging.getLogger("modeldeck")

INTERVAL_SECONDS = 3600.0
# The processes of one service start together.
FIRST_SECONDS = (30.0, 90.0)
# Between two batches, so that others are served.
PAUSE_SECONDS = 0.05
# A revision can have a megabyte, which the server reads even for a few of its fields.
READ_BATCH, MODEL_BATCH, REMOVAL_BATCH = 200, 100, 100
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
# What was written past the service in another shape is left alone.
_WELL_FORMED = {"model_id": {"$type": "string"}, "version": {"$type": "long"}}
_SIZE: list[dict[str, Any]] = [
    {"$collStats": {"storageStats": {}}},
    {"$project": {"bytes": {"$add": ["$storageStats.storageSize", "$storageStats.totalIndexSize"]}}},
]


class HistoryObserver(Protocol):
    """Receives the size of the history, to show it."""

    def history_size(self, size: int) -> None:
        """Note the bytes that the history takes on disk."""


class HistoryUpkeep:
    """Removes old revisions and measures the history, again and again; several processes may do so at once.

    `days` is for how long revisions are kept; None for ever.
    """

    def __init__(self, database: Database, days: int | None, observer: HistoryObserver) -> None:
        self._database = database
        self._days = days
        self._observer = observer
        # What became old before is done.
        self._done_until = _BEGINNING

    async def run(self) -> None:
        """Work every hour; a failure, which is logged, is made up for the next time."""
        await asyncio.sleep(random.uniform(*FIRST_SECONDS))  # noqa: S311  # no secret
        while True:
            try:
                await self.work()
            except Exception as error:  # the service works without it
                log.warning("the upkeep of the history failed: %s", type(error).__name__)
            await asyncio.sleep(INTERVAL_SECONDS)

    async def work(self) -> None:
        """Remove what has become old since the last time, then measure what is left."""
        if self._days is not None:
            before = now() - timedelta(days=self._days)
            if removed := await remove_revisions(self._database, before, since=self._done_until):
                log.info("removed %d revisions that were older than %d days", removed, self._days)
            self._done_until = before
        self._observer.history_size(await history_size(self._database))


async def history_size(database: Database) -> int:
    """Return how many bytes the revisions and their indexes take on disk."""
    return sum(shard["bytes"] for shard in await database.aggregate(Revision, _SIZE))


async def remove_revisions(database: Database, before: datetime, *, since: datetime = _BEGINNING) -> int:
    """Remove the revisions that were out of date at `before`; return how many.

    Of each model, the newest revision from before that moment stays, and all later ones: each version that the model
    had from then on can be shown. So the last revision of a deleted model stays, which says whose its id is, and a
    deletion stays as long as anything that it hides. Only models that were changed from `since` on are looked at.
    """
    removed = 0
    async for newest in _newest_revisions(database, since, before):
        for query in _superseded(newest):
            removed += await _remove(database, query)
    return removed


async def count_removable(database: Database, before: datetime) -> int:
    """Return how many revisions `remove_revisions` would remove."""
    counted: dict[str, int] = {}
    removable = 0
    async for newest in _newest_revisions(database, _BEGINNING, before):
        # A model can be in several batches.
        for query in _superseded(newest, counted):
            removable += await database.count(Revision, query)
        counted |= {model_id: max(version, counted.get(model_id, 0)) for model_id, version in newest.items()}
    return removable


async def _newest_revisions(database: Database, since: datetime, before: datetime) -> AsyncIterator[dict[str, int]]:
    """Yield, in batches by time, the last version that each model had got by then."""
    size = READ_BATCH
    fields = ["model_id", "version", "at"]
    while True:
        query = {"at": {"$gte": since, "$lt": before}, **_WELL_FORMED}
        found = await database.find(Revision, query, fields=fields, sort=[("at", 1)], limit=size)
        yield _newest(found)
        if len(found) < size:
            return
        # The last second may not be complete, so it is read again. If it fills a whole batch, that was too small.
        last: datetime = found[-1]["at"]
        size = size * 2 if last == since else READ_BATCH
        since = last
        await asyncio.sleep(PAUSE_SECONDS)


def _newest(found: Sequence[Record]) -> dict[str, int]:
    newest: dict[str, int] = {}
    for revision in found:
        newest[revision["model_id"]] = max(revision["version"], newest.get(revision["model_id"], 0))
    return newest


def _superseded(newest: Mapping[str, int], counted: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
    """Return queries for the revisions before these, each for some of the models; without those counted already."""
    before = [
        {"model_id": model_id, "version": {"$gte": (counted or {}).get(model_id, 0), "$lt": version}}
        for model_id, version in newest.items()
        if version > 1
    ]
    return [{"$or": before[start : start + MODEL_BATCH]} for start in range(0, len(before), MODEL_BATCH)]


async def _remove(database: Database, query: Mapping[str, Any]) -> int:
    removed = 0
    # The oldest first and each batch as a whole, so that what an earlier model of the id was is never left without
    # the deletion that hides it.
    while oldest := await database.find(Revision, query, fields=["_id"], sort=[("version", 1)], limit=REMOVAL_BATCH):
        removed += await _remove_together(database, [revision["_id"] for revision in oldest])
        await asyncio.sleep(PAUSE_SECONDS)
    return removed


async def _remove_together(database: Database, ids: Sequence[str]) -> int:
    return await database.in_transaction(lambda: database.delete_many(Revision, {"_id": {"$in": list(ids)}}))
