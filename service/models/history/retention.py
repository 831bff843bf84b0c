"""Removing what is recorded of changes after a time, and measuring how large the history is."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from beanie import Document

from documents import PeopleChange, Revision
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
_SIZE: list[dict[str, Any]] = [
    {"$collStats": {"storageStats": {}}},
    {"$project": {"bytes": {"$add": ["$storageStats.storageSize", "$storageStats.totalIndexSize"]}}},
]


# What names a model, or a user or group.
Name = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A collection of changes: the fields that name what was changed, and the one that counts its changes.

    With `forgets`, the deletion of what has gone is removed too when it is old: nothing rests on it.
    """

    kind: type[Document]
    name: tuple[str, ...]
    counter: str
    forgets: bool = False

    @property
    def well_formed(self) -> Mapping[str, Any]:
        """The query for what has the right shape; what was written past the service in another one is left alone."""
        return {**{field: {"$type": "string"} for field in self.name}, self.counter: {"$type": "long"}}

    def query(self, name: Name, counted: Any) -> dict[str, Any]:
        """Return the query for some of the changes of one of them, by their counter."""
        return {**dict(zip(self.name, name, strict=True)), self.counter: counted}


REVISIONS = Kept(Revision, ("model_id",), "version")
PEOPLE_CHANGES = Kept(PeopleChange, ("principal_id", "principal_type"), "number", forgets=True)
_DELETIONS = {"fields": None, "after": None}


class HistoryObserver(Protocol):
    """Receives the size of the history, to show it."""

    def history_size(self, size: int) -> None:
        """Note the bytes that the history takes on disk."""


class HistoryUpkeep:
    """Removes old revisions and measures the history, again and again; several processes may do so at once.

    `days` is for how long changes are kept; None for ever.
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
            for kept, called in ((REVISIONS, "revisions"), (PEOPLE_CHANGES, "changes of people")):
                if removed := await remove_old(self._database, before, since=self._done_until, of=kept):
                    log.info("removed %d %s that were older than %d days", removed, called, self._days)
            self._done_until = before
        self._observer.history_size(await history_size(self._database))


async def history_size(database: Database) -> int:
    """Return how many bytes the changes of models and people and their indexes take on disk."""
    collections = [await database.aggregate(kept.kind, _SIZE) for kept in (REVISIONS, PEOPLE_CHANGES)]
    return sum(shard["bytes"] for shards in collections for shard in shards)


async def remove_old(
    database: Database, before: datetime, *, since: datetime = _BEGINNING, of: Kept = REVISIONS
) -> int:
    """Remove the changes that were out of date at `before`; return how many.

    Of each model, user and group, the newest change from before that moment stays, and all later ones: each state that
    it had from then on can be shown. So the last revision of a deleted model stays, which says whose its id is, and a
    deletion stays as long as anything that it hides. A user or group that was deleted before that moment is forgotten.
    Only what was changed from `since` on is looked at.
    """
    removed = 0
    async for newest in _newest_changes(database, of, since, before):
        for query in _superseded(of, newest):
            removed += await _remove(database, of, query)
    if of.forgets:
        deleted = {"at": {"$gte": since, "$lt": before}, **of.well_formed, **_DELETIONS}
        removed += await _remove(database, of, deleted)
    return removed


async def count_removable(database: Database, before: datetime, *, of: Kept = REVISIONS) -> int:
    """Return how many changes `remove_old` would remove."""
    counted: dict[Name, int] = {}
    removable = 0
    async for newest in _newest_changes(database, of, _BEGINNING, before):
        # A model can be in several batches.
        for query in _superseded(of, newest, counted):
            removable += await database.count(of.kind, query)
        counted |= {name: max(version, counted.get(name, 0)) for name, version in newest.items()}
    if of.forgets:
        for query in _together([{**of.query(name, version), **_DELETIONS} for name, version in counted.items()]):
            removable += await database.count(of.kind, query)
    return removable


async def _newest_changes(
    database: Database, of: Kept, since: datetime, before: datetime
) -> AsyncIterator[dict[Name, int]]:
    """Yield, in batches by time, the last change of each model that there was by then."""
    size = READ_BATCH
    fields = [*of.name, of.counter, "at"]
    while True:
        query = {"at": {"$gte": since, "$lt": before}, **of.well_formed}
        found = await database.find(of.kind, query, fields=fields, sort=[("at", 1)], limit=size)
        yield _newest(of, found)
        if len(found) < size:
            return
        # The last second may not be complete, so it is read again. If it fills a whole batch, that was too small.
        last: datetime = found[-1]["at"]
        size = size * 2 if last == since else READ_BATCH
        since = last
        await asyncio.sleep(PAUSE_SECONDS)


def _newest(of: Kept, found: Sequence[Record]) -> dict[Name, int]:
    newest: dict[Name, int] = {}
    for change in found:
        name = tuple(change[field] for field in of.name)
        newest[name] = max(change[of.counter], newest.get(name, 0))
    return newest


def _superseded(
    of: Kept, newest: Mapping[Name, int], counted: Mapping[Name, int] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield queries for the changes before these, each for some of the models; without those counted already."""
    return _together(
        [
            of.query(name, {"$gte": (counted or {}).get(name, 0), "$lt": version})
            for name, version in newest.items()
            if version > 1
        ]
    )


def _together(queries: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(queries), MODEL_BATCH):
        yield {"$or": queries[start : start + MODEL_BATCH]}


async def _remove(database: Database, of: Kept, query: Mapping[str, Any]) -> int:
    removed = 0
    # The oldest first and each batch as a whole, so that what an earlier model of the id was is never left without
    # the deletion that hides it.
    order = [(of.counter, 1)]
    while oldest := await database.find(of.kind, query, fields=["_id"], sort=order, limit=REMOVAL_BATCH):
        removed += await _remove_together(database, of, [change["_id"] for change in oldest])
        await asyncio.sleep(PAUSE_SECONDS)
    return removed


async def _remove_together(database: Database, of: Kept, ids: Sequence[str]) -> int:
    return await database.in_transaction(lambda: database.delete_many(of.kind, {"_id": {"$in": list(ids)}}))
