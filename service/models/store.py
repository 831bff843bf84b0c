"""Writing model records: each write conditional on what was read, and stored together with its revision."""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from documents import ModelRecord, Revision
from documents.derived_keys import OwnerFacts
from documents.revision import Change
from service.auth.authentication import Caller
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record, int64
from service.database.writes import Write, delete_one, insert_one, update_one
from service.errors import BusyError
from service.models.derived_keys import owners, refresh_derived_keys
from service.models.record import CONTENT_FIELDS, Content, build_record

ATTEMPTS = 50
MAX_PAUSE_SECONDS = 0.25

Owners = Mapping[str, OwnerFacts | None]


class LostRaceError(Exception):
    """Somebody else changed a record since it was read."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One record's change, decided on what was read.

    `live` is the record as it was read, None for a new one; `said` is what it shall say, None to delete
    it. The times are those that a record brings along; `version` is the least that a new one shall have. Where
    there is a `claimant`, a new record can't have the id that somebody else's record had last.
    """

    model_id: str
    change: Change
    live: Record | None
    said: Content | None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int = 1
    claimant: str | None = None

    @property
    def before(self) -> dict[str, Any] | None:
        """What the record said."""
        return (
            None if self.live is None else {field: self.live[field] for field in CONTENT_FIELDS if field in self.live}
        )

    @property
    def live_version(self) -> int | None:
        """The version that the record has; None for a new one, and for one written past the service without."""
        version = None if self.live is None else self.live.get("version")
        return version if isinstance(version, int) else None


@dataclass(frozen=True, slots=True)
class LastRevision:
    """The last that is recorded of an id: its version, and whose record it was."""

    version: int
    owner: Any

    def bars(self, claimant: str | None) -> bool:
        """Say whether a new record can't have the id, since it was last that of somebody else's."""
        return claimant is not None and self.owner not in (None, claimant)


def claimant_of(caller: Caller | None) -> str | None:
    """Return whose an id must have been last for the caller to give it to a new record; None where it may be anybody's.

    Whoever may write a record could delete it otherwise, and put their own in its place. Admins, and whoever has the
    database itself, may anyway.
    """
    return None if caller is None or caller.is_admin else caller.user_id


async def store(
    database: Database,
    planned: Sequence[PlannedWrite],
    by: str | None,
    *,
    bulk: bool = False,
    known: Owners | None = None,
) -> list[int]:
    """Write all that is planned, or nothing, and return the versions that it made.

    `by` is the user who asked for it; `known` is what is known of owners already, however old. Raises LostRaceError
    when a record is not as it was read, or an id not to be had.
    """
    known = await owners_of(database, planned, known)
    versions = await database.in_transaction(lambda: write(database, planned, by, known), bulk=bulk)
    await follow_owners(database, known)
    return versions


async def owners_of(database: Database, planned: Sequence[PlannedWrite], known: Owners | None = None) -> Owners:
    """Return what the keys of the planned records hold of their owners; None for one who does not exist.

    What is `known` already is not looked up.
    """
    user_ids = {item.said["user_id"] for item in planned if item.said is not None}
    found = dict(known or {})
    if unknown := sorted(user_ids - found.keys()):
        found |= await owners(database, unknown)
    return {user_id: found.get(user_id) for user_id in user_ids}


async def follow_owners(database: Database, known: Owners) -> None:
    """Bring the keys of records up to date, if an owner was renamed since `known` was read.

    To be called after records were written with `known`.
    """
    fresh = await owners(database, sorted(known))
    for user_id in known:
        if fresh.get(user_id) != known[user_id]:
            await refresh_derived_keys(database, {"user_id": user_id})


async def write(database: Database, planned: Sequence[PlannedWrite], by: str | None, known: Owners) -> list[int]:
    """Do what `store` does, as a part of the caller's transaction."""
    ended = await last_recorded(database, [item.model_id for item in planned if item.live_version is None])
    if any(item.model_id in ended and ended[item.model_id].bars(item.claimant) for item in planned):
        raise LostRaceError
    versions = [_next_version(item, ended.get(item.model_id)) for item in planned]
    moment = now()
    writes = [_write_of(item, version, moment, known) for item, version in zip(planned, versions, strict=True)]
    revisions = [
        insert_one(revision(item, version, moment, by)) for item, version in zip(planned, versions, strict=True)
    ]
    # Those of one kind are sent together, if they stand together.
    writes.sort(key=lambda change: type(change).__name__)
    for kind, changes in ((ModelRecord, writes), (Revision, revisions)):
        written, _ = await database.write_many(kind, changes)
        if written != len(planned):
            raise LostRaceError
    return versions


async def last_recorded(database: Database, model_ids: Sequence[str]) -> dict[str, LastRevision]:
    """Return the last that is recorded of each of these ids that has a history.

    A new record goes on from there, where an earlier one of its id ended, so that no version ever means
    two things.
    """
    if not model_ids:
        return {}
    group = {"_id": "$model_id", "version": {"$first": "$version"}, "owner": {"$first": "$before.user_id"}}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"model_id": {"$in": list(model_ids)}}},
        {"$sort": {"model_id": 1, "version": -1}},
        {"$group": group},
    ]
    found = await database.aggregate(Revision, pipeline)
    return {last["_id"]: LastRevision(last["version"], last.get("owner")) for last in found}


def _next_version(item: PlannedWrite, last: LastRevision | None) -> int:
    if item.live_version is not None:
        return item.live_version + 1
    return item.version if last is None else max(item.version, last.version + 1)


def _write_of(item: PlannedWrite, version: int, moment: datetime, known: Owners) -> Write:
    match = {"_id": item.model_id, "version": (item.live or {}).get("version")}
    if item.said is None:
        return delete_one(match)
    earlier = {field: _moment((item.live or {}).get(field)) for field in ("created_at", "updated_at")}
    whole = build_record(
        item.model_id,
        item.said,
        version=version,
        created_at=item.created_at or earlier["created_at"] or moment,
        # A clock that went back must not make a record older than it was.
        updated_at=item.updated_at or max(moment, earlier["updated_at"] or moment),
        owner=known.get(item.said["user_id"]),
    )
    if item.live is None:
        return insert_one(whole)
    return update_one(match, {"$set": {name: value for name, value in whole.items() if name != "_id"}})


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def revision(item: PlannedWrite, version: int, moment: datetime, by: str | None) -> Record:
    """Return the revision of a change that made this version."""
    # Put together by hand, not through the document: imports make very many.
    return {
        "_id": secrets.token_hex(16),
        "model_id": item.model_id,
        "version": int64(version),
        "at": moment,
        "by": by,
        "change": str(item.change),
        "before": item.before,
        "after": None if item.said is None else {field: item.said[field] for field in CONTENT_FIELDS},
    }


async def retry_serialized(database: Database, model_id: str, attempt: Callable[[], Awaitable[bool]]) -> None:
    """Make attempts at changing one record until one says that it is done; raise BusyError when that takes too long.

    Those of this process that want the same record wait for each other, so that others elsewhere are all that
    can be faster.
    """
    deadline = time.monotonic() + database.timeout
    async with database.lock_in_process(f"model:{model_id}"):
        for number in count():
            if await attempt():
                return
            if time.monotonic() > deadline:
                raise BusyError
            await back_off(number)


async def back_off(attempt: int) -> None:
    """Wait before another attempt: at random, and longer each time, so that many who want one record part."""
    await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, MAX_PAUSE_SECONDS)))  # noqa: S311  # no secret
