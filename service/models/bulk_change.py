"""The same change made to many records: each one changes for itself, and tells what became of it."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from documents import ModelRecord
from documents.revision import Change
from service.auth.access_rule import Match
from service.database.client import Database
from service.database.errors import MALFORMED_DETAIL, DatabaseError, refused_fields
from service.database.exact_bson import Record, same_content
from service.errors import BusyError, TooLargeError
from service.models.record import CONTENT_FIELDS, Content, require_storable
from service.models.shape_check import malformed_fields
from service.models.store import LostRaceError, PlannedWrite, retry_serialized, store

# One transaction each. A record and its two copies in the revision can have 500 KB each.
BATCH = 100
NOT_TRIED = "The database did not answer in time; whether this model was changed is not known."
CONTENDED = "This model is being changed by others all the time; try again later."


class RecordStatus(StrEnum):
    """What became of one record."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    NOT_FOUND = "not_found"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of one record: its version, if it is there, and why it failed, if it did."""

    model_id: str
    status: RecordStatus
    version: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class BulkChange:
    """A change that somebody wants of many records.

    `allowed` is the match fragment that must hold of a record at the moment when it is changed, `amend` says what a
    record shall say, and `by` is the user who wants it.
    """

    change: Change
    by: str | None
    allowed: Match
    amend: Callable[[Record], Content]


async def change_where(database: Database, query: Match, wish: BulkChange) -> AsyncIterator[list[RecordResult]]:
    """Change all records that match, in order of id; yield what became of them, batch by batch."""
    # No route takes another id than a text.
    named = {"$and": [query, {"_id": {"$type": "string"}}]}
    async for batch in database.batches(ModelRecord, named, fields=["_id"], size=BATCH):
        outcomes = await change_each(database, [record["_id"] for record in batch], wish)
        yield outcomes
        if outcomes[-1].detail == NOT_TRIED:
            return


async def change_each(database: Database, model_ids: Sequence[str], wish: BulkChange) -> list[RecordResult]:
    """Change these records; return what became of each, in the same order."""
    outcomes: list[RecordResult] = []
    for start in range(0, len(model_ids), BATCH):
        try:
            outcomes += await _batch(database, model_ids[start : start + BATCH], wish)
        except DatabaseError:
            if not outcomes:
                raise
            # What was changed before must be told.
            return outcomes + [
                RecordResult(model_id, RecordStatus.FAILED, detail=NOT_TRIED) for model_id in model_ids[start:]
            ]
    return outcomes


async def _batch(database: Database, model_ids: Sequence[str], wish: BulkChange) -> list[RecordResult]:
    try:
        return await _together(database, model_ids, wish)
    except LostRaceError:
        # One of them is in demand: only that one need be tried again and again.
        return [await _alone(database, model_id, wish) for model_id in model_ids]
    except DatabaseError as error:
        # Of a record that others wrote malformed in a way that only the database sees, the others know nothing.
        if refused_fields(error) is None or database.transacting:
            raise
        return [await _alone(database, model_id, wish) for model_id in model_ids]


async def _alone(database: Database, model_id: str, wish: BulkChange) -> RecordResult:
    outcomes: list[RecordResult] = []

    async def attempt() -> bool:
        try:
            outcomes[:] = await _together(database, [model_id], wish)
        except LostRaceError:
            return False
        return True

    try:
        await retry_serialized(database, model_id, attempt)
    except BusyError:
        return RecordResult(model_id, RecordStatus.FAILED, detail=CONTENDED)
    except DatabaseError as error:
        if (fields := refused_fields(error)) is None:
            raise
        return RecordResult(model_id, RecordStatus.FAILED, detail=malformed(fields) if fields else MALFORMED_DETAIL)
    return outcomes[0]


async def _together(database: Database, model_ids: Sequence[str], wish: BulkChange) -> list[RecordResult]:
    found = await database.find(ModelRecord, {"$and": [wish.allowed, {"_id": {"$in": list(model_ids)}}]})
    records = {record["_id"]: record for record in found}
    outcomes: dict[str, RecordResult] = {}
    planned: list[PlannedWrite] = []
    for model_id in model_ids:
        decided = _decide(model_id, records.get(model_id), wish)
        if isinstance(decided, PlannedWrite):
            planned.append(decided)
        else:
            outcomes[model_id] = decided
    versions = await store(database, planned, wish.by) if planned else []
    for item, version in zip(planned, versions, strict=True):
        outcomes[item.model_id] = RecordResult(item.model_id, RecordStatus.CHANGED, version)
    return [outcomes[model_id] for model_id in model_ids]


def _decide(model_id: str, record: Record | None, wish: BulkChange) -> PlannedWrite | RecordResult:
    if record is None:
        return RecordResult(model_id, RecordStatus.NOT_FOUND)
    if unsound := malformed_fields(record, with_params=True):
        return RecordResult(model_id, RecordStatus.FAILED, detail=malformed(unsound))
    before = {field: record[field] for field in CONTENT_FIELDS}
    said = {**before, **wish.amend(record)}
    if same_content(before, said):
        return RecordResult(model_id, RecordStatus.UNCHANGED, record["version"])
    try:
        require_storable(said)
    except TooLargeError as error:
        return RecordResult(model_id, RecordStatus.FAILED, record["version"], error.detail)
    return PlannedWrite(model_id, wish.change, record, said)


def malformed(fields: Sequence[str]) -> str:
    """Return a sentence about a record that the service can't change."""
    return f"This model was written past the service and is malformed: {', '.join(fields)}."
