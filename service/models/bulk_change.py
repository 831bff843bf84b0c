"""One change applied to many records: each record succeeds or fails on its own and gets its own result."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from documents import ModelRecord
from documents.revision import ChangeKind
from service.auth.access_rule import Match
from service.auth.authentication import RightsCheck, without_check
from service.database.client import Database
from service.database.errors import MALFORMED_DETAIL, DatabaseError, refused_fields
from service.database.exact_bson import Record, same_content
from service.errors import RIGHTS_CHANGED, BusyError, RightsChangedError, TooLargeError, UnauthorizedError
from service.models.record import CONTENT_FIELDS, Content, require_storable
from service.models.record_sizes import split_by_size
from service.models.shape_check import malformed_fields
from service.models.store import LostRaceError, PlannedWrite, retry_serialized, store_planned

# Records in one transaction; fewer where they are large.
BATCH = 100
RESULT_UNKNOWN = "The database did not answer in time; it is not known whether this model was changed."
RIGHTS_LOST = f"{RIGHTS_CHANGED}; this model was not changed."
CONTENDED = "Others keep changing this model; try again later."
# Why a change failed that can succeed when it is requested again.
PASSING = frozenset({RESULT_UNKNOWN, RIGHTS_LOST, CONTENDED})


class RecordStatus(StrEnum):
    """The result of the change of one record, in a word."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    NOT_FOUND = "not_found"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RecordResult:
    """The result of the change of one record: its version, if it exists, and why the change failed, if it did."""

    model_id: str
    status: RecordStatus
    version: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class BulkChange:
    """A change of many records, requested by the user `by`.

    `condition` is the match fragment that must hold of a record at the moment when it is changed; `new_content`
    returns the fields to change in a record, with their new values. `check` is called before each part of a batch. With
    `dry_run`, the results are those of the change, and nothing is written.
    """

    change: ChangeKind
    by: str | None
    condition: Match
    new_content: Callable[[Record], Content]
    check: RightsCheck = without_check
    dry_run: bool = False


async def change_matching(database: Database, query: Match, bulk: BulkChange) -> AsyncIterator[list[RecordResult]]:
    """Change all records that match, in order of id, and yield the results part by part.

    Raises DatabaseError, UnauthorizedError or RightsChangedError when the other records are not reached.
    """
    # Ids that are not text can't be addressed by any route.
    addressable = {"$and": [query, {"_id": {"$type": "string"}}]}
    async for batch in database.batches(ModelRecord, addressable, fields=["_id"], size=BATCH):
        async for results in _change_in_parts(database, [record["_id"] for record in batch], bulk):
            yield results


async def change_models(database: Database, model_ids: Sequence[str], bulk: BulkChange) -> list[RecordResult]:
    """Change these records and return their results in the same order.

    Raises UnauthorizedError or RightsChangedError, like a DatabaseError, only when nothing was changed before.
    """
    results: list[RecordResult] = []
    try:
        for start in range(0, len(model_ids), BATCH):
            async for part in _change_in_parts(database, model_ids[start : start + BATCH], bulk):
                results += part
    except (DatabaseError, UnauthorizedError, RightsChangedError) as error:
        if not results:
            raise
        # The caller must learn what was changed before the failure.
        detail = RESULT_UNKNOWN if isinstance(error, DatabaseError) else RIGHTS_LOST
        results += [
            RecordResult(model_id, RecordStatus.FAILED, detail=detail) for model_id in model_ids[len(results) :]
        ]
    return results


async def _change_in_parts(
    database: Database, model_ids: Sequence[str], bulk: BulkChange
) -> AsyncIterator[list[RecordResult]]:
    for part in await split_by_size(database, model_ids, str):
        await bulk.check()
        yield await _change_batch(database, part, bulk)


async def _change_batch(database: Database, model_ids: Sequence[str], bulk: BulkChange) -> list[RecordResult]:
    try:
        return await _change_together(database, model_ids, bulk)
    except LostRaceError:
        # Only the contended records need retries.
        return [await _change_one(database, model_id, bulk) for model_id in model_ids]
    except DatabaseError as error:
        # A record that only the validator finds malformed must not fail the others.
        if refused_fields(error) is None or database.transacting:
            raise
        return [await _change_one(database, model_id, bulk) for model_id in model_ids]


async def _change_one(database: Database, model_id: str, bulk: BulkChange) -> RecordResult:
    results: list[RecordResult] = []

    async def attempt() -> bool:
        try:
            results[:] = await _change_together(database, [model_id], bulk)
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
        detail = malformed_detail(fields) if fields else MALFORMED_DETAIL
        return RecordResult(model_id, RecordStatus.FAILED, detail=detail)
    return results[0]


async def _change_together(database: Database, model_ids: Sequence[str], bulk: BulkChange) -> list[RecordResult]:
    found = await database.find(ModelRecord, {"$and": [bulk.condition, {"_id": {"$in": list(model_ids)}}]})
    records = {record["_id"]: record for record in found}
    results: dict[str, RecordResult] = {}
    planned: list[PlannedWrite] = []
    for model_id in model_ids:
        decision = _decide(model_id, records.get(model_id), bulk)
        if isinstance(decision, PlannedWrite):
            planned.append(decision)
        else:
            results[model_id] = decision
    versions = await _versions(database, planned, bulk)
    for item, version in zip(planned, versions, strict=True):
        results[item.model_id] = RecordResult(item.model_id, RecordStatus.CHANGED, version)
    return [results[model_id] for model_id in model_ids]


async def _versions(database: Database, planned: Sequence[PlannedWrite], bulk: BulkChange) -> list[int]:
    if bulk.dry_run:
        return [(item.stored_version or 0) + 1 for item in planned]
    return await store_planned(database, planned, bulk.by) if planned else []


def _decide(model_id: str, record: Record | None, bulk: BulkChange) -> PlannedWrite | RecordResult:
    if record is None:
        return RecordResult(model_id, RecordStatus.NOT_FOUND)
    if malformed := malformed_fields(record, with_params=True):
        return RecordResult(model_id, RecordStatus.FAILED, detail=malformed_detail(malformed))
    before = {field: record[field] for field in CONTENT_FIELDS}
    after = {**before, **bulk.new_content(record)}
    if same_content(before, after):
        return RecordResult(model_id, RecordStatus.UNCHANGED, record["version"])
    try:
        require_storable(after)
    except TooLargeError as error:
        return RecordResult(model_id, RecordStatus.FAILED, record["version"], error.detail)
    return PlannedWrite(model_id, bulk.change, record, after)


def malformed_detail(fields: Sequence[str]) -> str:
    """Return the error message about a record that the service can't change."""
    return f"This model was written past the service and is malformed: {', '.join(fields)}."
