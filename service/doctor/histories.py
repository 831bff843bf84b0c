"""Histories of models that went without being deleted by the service."""

from collections.abc import Sequence
from typing import Any

from documents import ModelRecord, Revision
from documents.revision import Change
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.writes import insert_one
from service.doctor.diagnosis import Diagnosis, Kind
from service.models.store import PlannedWrite, revision

BATCH = 1000
# Nothing is said after a deletion, whatever it was a part of.
_ENDED = {"ended": {"$eq": ["$after", None]}}


async def examine_histories(database: Database, diagnosis: Diagnosis) -> None:
    """Find histories that go on though their model is gone, and end them.

    A deletion keeps the history of its model, and is its last revision. Where that is missing the model was taken
    away past the service; it is added, so that its id stays its last owner's and a successor begins anew.
    """
    after = ""
    while last := await _last_revisions(database, [{"$match": {"model_id": {"$gt": after}}}], BATCH):
        after = max(found["_id"] for found in last)
        going_on = [found["_id"] for found in last if not found["ended"]]
        for model_id in await _orphaned(database, going_on):
            told = f"model {model_id!r} is gone, and its history does not say that it was deleted"
            diagnosis.note(Kind.ORPHANED_HISTORY, told)
            if diagnosis.repair:
                diagnosis.mend(Kind.ORPHANED_HISTORY, await _end(database, model_id))


async def _last_revisions(database: Database, match: Sequence[Record], limit: int) -> list[Record]:
    # Of the last model in a batch the newest revision comes first, so that it does not matter where the batch ends.
    newest_first: list[dict[str, Any]] = [{"$sort": {"model_id": 1, "version": -1}}, {"$limit": limit}]
    told = {"$project": {"model_id": 1, **_ENDED}}
    group = {"$group": {"_id": "$model_id", "ended": {"$first": "$ended"}}}
    return await database.aggregate(Revision, [*match, *newest_first, told, group])


async def _orphaned(database: Database, model_ids: Sequence[str]) -> list[str]:
    there = await database.find(ModelRecord, {"_id": {"$in": list(model_ids)}}, fields=["_id"])
    gone = set(model_ids) - {record["_id"] for record in there}
    # One that was deleted since has its last revision by now.
    return [model_id for model_id in sorted(gone) if (await _last(database, model_id)).get("after") is not None]


async def _last(database: Database, model_id: str) -> Record:
    found = await database.find(Revision, {"model_id": model_id}, sort=[("version", -1)], limit=1)
    return found[0] if found else {}


async def _end(database: Database, model_id: str) -> int:
    last = await _last(database, model_id)
    said, version = last.get("after"), last.get("version")
    if not isinstance(version, int):
        return 0
    planned = PlannedWrite(model_id, Change.DELETE, said if isinstance(said, dict) else None, None)
    written, _ = await database.write_many(Revision, [insert_one(revision(planned, version + 1, now(), None))])
    return written
