"""Writing model records: each write is conditional on what was read, and stored together with its revision."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from itertools import count
from typing import Any

from documents import ModelRecord, Revision
from documents.derived_keys import OwnerFields
from documents.revision import ChangeKind
from service.auth.authentication import Caller
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.work_context import write_tracker
from service.database.writes import Write, delete_one, insert_one, update_one
from service.errors import BusyError
from service.models.derived_keys import existing_owners, refresh_derived_keys
from service.models.record import CONTENT_FIELDS, Content, build_record, changed_fields
from service.models.revision import build_revision, stored_sides

ATTEMPTS = 50
MAX_PAUSE_SECONDS = 0.25

# The fields of a record that are not its content.
_COMPUTED = ("version", "created_at", "updated_at", "keys")
# Where it came from: no content either, and only an import with a source writes it.
ORIGIN = "origin"

_IMPORTS = (ChangeKind.IMPORT, ChangeKind.SYNC)

# By user id; None for an owner who does not exist.
Owners = Mapping[str, OwnerFields | None]


class LostRaceError(Exception):
    """Someone else changed a record since it was read."""


@dataclass(frozen=True)
class PlannedWrite:
    """The change of one record, decided on the state that was read.

    `stored` is the record as it was read, None for a new one. `content` is its new content, None to delete it. The
    times are those of an imported record; `version` is the lowest that a new record may get. `reuse_limited_to`, if
    set, is the only user whose deleted record may have had the id of a new one before. `origin`, if set, is stored
    with the content.
    """

    model_id: str
    change: ChangeKind
    stored: Record | None
    content: Content | None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    version: int = 1
    reuse_limited_to: str | None = None
    origin: Record | None = None

    @cached_property
    def before(self) -> dict[str, Any] | None:
        """The content before the change."""
        if self.stored is None:
            return None
        return {field: self.stored[field] for field in CONTENT_FIELDS if field in self.stored}

    @cached_property
    def changed(self) -> list[str]:
        """The names of the fields that differ; none where the model is created or deleted."""
        return [] if self.before is None or self.content is None else changed_fields(self.before, self.content)

    @property
    def stored_version(self) -> int | None:
        """The version of the stored record; None for a new one, and for one written past the service without it."""
        version = None if self.stored is None else self.stored.get("version")
        return version if isinstance(version, int) else None


@dataclass(frozen=True, slots=True)
class PlannedOrigin:
    """A new origin of a record whose content stays: no change that a version or a revision would count."""

    stored: Record
    origin: Record


@dataclass(frozen=True, slots=True)
class LastRevision:
    """The last recorded revision of a model id: its version, and the owner after it or, of a deletion, before it."""

    version: int
    owner: Any

    def forbids_reuse(self, reuse_limited_to: str | None) -> bool:
        """Return whether the limit forbids a new record of this id, because the last one had another owner."""
        return reuse_limited_to is not None and self.owner not in (None, reuse_limited_to)


def reuse_limit(caller: Caller | None) -> str | None:
    """Return the user whose deleted records' ids the caller may use again; None when there is no limit.

    Without the limit, a user with a write grant could delete a record and put their own in its place. Admins and the
    command line may do that anyway.
    """
    return None if caller is None or caller.is_admin else caller.user_id


async def store_planned(
    database: Database,
    planned: Sequence[PlannedWrite],
    by: str | None,
    *,
    bulk: bool = False,
    owners: Owners | None = None,
    origins: Sequence[PlannedOrigin] = (),
    before_commit: Callable[[], Awaitable[None]] | None = None,
) -> list[int]:
    """Write all planned changes in one transaction, and return the versions that they made.

    `by` is the user who asked for them. `owners` holds owners that were read earlier, which need not be current.
    `origins` are stored too, for other records. `before_commit` is the last part of the transaction. Raises
    LostRaceError, and writes nothing, when a record is not as it was read or an id is not available.
    """
    owners = await look_up_owners(database, planned, owners)

    async def work() -> list[int]:
        await _write_origins(database, origins)
        versions = await write_planned(database, planned, by, owners)
        if before_commit is not None:
            await before_commit()
        return versions

    versions = await database.in_transaction(work, bulk=bulk)
    await database.after_commit(partial(refresh_after_renames, database, owners))
    return versions


async def look_up_owners(
    database: Database, planned: Sequence[PlannedWrite], cached: Owners | None = None
) -> dict[str, OwnerFields | None]:
    """Return the owners of the planned records; those in `cached` are not read again."""
    user_ids = {item.content["user_id"] for item in planned if item.content is not None}
    found = dict(cached or {})
    if missing := sorted(user_ids - found.keys()):
        found |= await existing_owners(database, missing)
    return {user_id: found.get(user_id) for user_id in user_ids}


async def refresh_after_renames(database: Database, owners: Owners) -> None:
    """Refresh the derived keys of the records of those owners who changed since `owners` was read.

    Call this after writing records with `owners`.
    """
    current = await existing_owners(database, sorted(owners))
    for user_id in owners:
        if current.get(user_id) != owners[user_id]:
            await refresh_derived_keys(database, {"user_id": user_id})


async def write_planned(
    database: Database, planned: Sequence[PlannedWrite], by: str | None, owners: Owners
) -> list[int]:
    """Write like `store_planned`, as a part of the caller's transaction and without the refresh afterwards."""
    last = await last_revisions(database, [item.model_id for item in planned if item.stored_version is None])
    if any(item.model_id in last and last[item.model_id].forbids_reuse(item.reuse_limited_to) for item in planned):
        raise LostRaceError
    versions = [_next_version(item, last.get(item.model_id)) for item in planned]
    moment = now()
    numbered = list(zip(planned, versions, strict=True))
    writes = [_record_write(item, version, moment, owners) for item, version in numbered]
    revisions = [insert_one(_revision(item, version, moment, by)) for item, version in numbered]
    # The driver sends adjacent writes of one kind together.
    writes.sort(key=lambda change: type(change).__name__)
    for kind, changes in ((ModelRecord, writes), (Revision, revisions)):
        written, _ = await database.write_many(kind, changes)
        if written != len(planned):
            raise LostRaceError
    await database.after_commit(partial(_count_changes, len(planned)))
    return versions


async def _write_origins(database: Database, origins: Sequence[PlannedOrigin]) -> None:
    writes = [
        update_one({"_id": item.stored["_id"], "version": item.stored.get("version")}, {"$set": {ORIGIN: item.origin}})
        for item in origins
    ]
    written, _ = await database.write_many(ModelRecord, writes)
    if written != len(origins):
        raise LostRaceError


async def _count_changes(count: int) -> None:
    write_tracker().changed_models += count


async def last_revisions(database: Database, model_ids: Sequence[str]) -> dict[str, LastRevision]:
    """Return the last revision of each of these ids that has a history.

    A new record continues the version numbers of earlier records with its id, so that a version never has two
    meanings.
    """
    if not model_ids:
        return {}
    # A record that was removed past the service has no deletion.
    owner = {"$first": {"$ifNull": ["$after.user_id", "$before.user_id"]}}
    group = {"_id": "$model_id", "version": {"$first": "$version"}, "owner": owner}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"model_id": {"$in": list(model_ids)}}},
        {"$sort": {"model_id": 1, "version": -1}},
        {"$group": group},
    ]
    found = await database.aggregate(Revision, pipeline)
    return {last["_id"]: LastRevision(last["version"], last.get("owner")) for last in found}


def _next_version(item: PlannedWrite, last: LastRevision | None) -> int:
    if item.stored_version is not None:
        return item.stored_version + 1
    return item.version if last is None else max(item.version, last.version + 1)


def _record_write(item: PlannedWrite, version: int, moment: datetime, owners: Owners) -> Write:
    match = {"_id": item.model_id, "version": (item.stored or {}).get("version")}
    if item.content is None:
        return delete_one(match)
    earlier = {field: _date_or_none((item.stored or {}).get(field)) for field in ("created_at", "updated_at")}
    record = build_record(
        item.model_id,
        item.content,
        version=version,
        created_at=item.created_at or earlier["created_at"] or moment,
        # A clock that was set back must not make a record look older than before.
        updated_at=item.updated_at or max(moment, earlier["updated_at"] or moment),
        owner=owners.get(item.content["user_id"]),
    )
    if item.origin is not None:
        record[ORIGIN] = item.origin
    if item.stored is None:
        return insert_one(record)
    # Everything else is as it is stored, since the version is.
    changed = {*item.changed, *_COMPUTED, ORIGIN}
    return update_one(match, {"$set": {name: value for name, value in record.items() if name in changed}})


def _revision(item: PlannedWrite, version: int, moment: datetime, by: str | None) -> Record:
    sides = stored_sides(item.before, item.content, item.changed)
    change, imported = item.change, item.before is None and item.change in _IMPORTS
    if imported:
        # Every new model has a `create`, so that all are found alike.
        change, sides = ChangeKind.CREATE, {**sides, "imported": True}
    return build_revision(item.model_id, change, sides, version=version, moment=moment, by=by)


def _date_or_none(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


async def retry_serialized(database: Database, model_id: str, attempt: Callable[[], Awaitable[bool]]) -> None:
    """Repeat an attempt to change one record until it returns True; raise BusyError after the request timeout.

    Attempts of this process on the same record are serialized, so that only other processes can win a race.
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
    """Wait before the next attempt, for a random time that grows with each attempt, so that competitors spread out."""
    await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, MAX_PAUSE_SECONDS)))  # noqa: S311  # no secret
