"""Where models came from: origins that no import has stored, and those that several models have."""

from typing import Any

from documents import ModelRecord
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.work_context import BULK_TIMEOUT_FACTOR
from service.doctor.diagnosis import Diagnosis, Kind
from service.models.origin import origin_of
from service.models.store import ORIGIN

BATCH = 2000
_SHOWN = 5


async def examine_origins(database: Database, diagnosis: Diagnosis) -> None:
    """Find origins that can't be used; a repair removes them, so that the model is as one that was made here."""
    with_one = {"_id": {"$type": "string"}, ORIGIN: {"$ne": None}}
    async for batch in database.batches(ModelRecord, with_one, fields=[ORIGIN], size=BATCH):
        for record in batch:
            if not _is_readable(record):
                message = f"model {record['_id']!r} has an origin that can't be read, so that no import can merge it"
                diagnosis.add(Kind.BROKEN_ORIGIN, message)
                if diagnosis.repair:
                    diagnosis.add_repaired(Kind.BROKEN_ORIGIN, int(await _remove(database, record)))
    await _examine_repeated(database, diagnosis)


async def _examine_repeated(database: Database, diagnosis: Diagnosis) -> None:
    """Find origins that several models have, which is possible only while the unique index is missing."""
    repeated: list[dict[str, Any]] = [
        {"$match": {"origin.source": {"$type": "string"}, "origin.key": {"$type": "string"}}},
        {"$group": {"_id": {"source": "$origin.source", "key": "$origin.key"}, "models": {"$sum": 1}}},
        {"$match": {"models": {"$gt": 1}}},
        {"$sort": {"_id": 1}},
    ]
    for found in await database.aggregate(ModelRecord, repeated, seconds=database.timeout * BULK_TIMEOUT_FACTOR):
        source, key = found["_id"]["source"], found["_id"]["key"]
        query = {"origin.source": source, "origin.key": key}
        records = await database.find(ModelRecord, query, fields=[ORIGIN], sort=[("_id", 1)])
        if len(records) < 2:
            # They were changed since they were counted.
            continue
        named = ", ".join(repr(record["_id"]) for record in records[:_SHOWN])
        message = f"{len(records):,} models have the origin {key!r} of the source {source!r}: {named}"
        diagnosis.add(Kind.REPEATED_ORIGIN, message)
        if diagnosis.repair:
            # The one that has the id of the model in the source, or else the first.
            kept = next((record for record in records if record["_id"] == key), records[0])
            removed = [await _remove(database, record) for record in records if record is not kept]
            diagnosis.add_repaired(Kind.REPEATED_ORIGIN, int(all(removed)))


def _is_readable(record: Record) -> bool:
    try:
        origin = origin_of(record)
    except ValueError:
        return False
    return origin is None or origin.said is not None


async def _remove(database: Database, record: Record) -> bool:
    """Remove an origin unless it was changed since it was read; it is no content, so there is no version of it."""
    unchanged = {"_id": record["_id"], ORIGIN: record[ORIGIN]}
    return await database.update_one(ModelRecord, unchanged, {"$unset": {ORIGIN: ""}}, any_shape=True)
