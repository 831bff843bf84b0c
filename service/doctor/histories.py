"""Histories of models that disappeared without being deleted by the service."""

from collections.abc import Sequence
from typing import Any

from documents import ModelRecord, Revision
from documents.revision import ChangeKind
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.writes import insert_one
from service.doctor.diagnosis import Diagnosis, Kind
from service.models.history.contents import last_content
from service.models.revision import build_revision, stored_sides

BATCH = 1000
# A deletion is the only change without content after it.
_ENDED = {"ended": {"$eq": ["$after", None]}}


async def examine_histories(database: Database, diagnosis: Diagnosis) -> None:
    """Find histories without a model that do not end with its deletion, and add the missing revision.

    A model without one was deleted past the service. With it, the id stays reserved for the last owner, and a new
    model with this id starts a history of its own.
    """
    after = ""
    while last := await _last_revisions(database, [{"$match": {"model_id": {"$gt": after}}}], BATCH):
        after = max(found["_id"] for found in last)
        open_ended = [found["_id"] for found in last if not found["ended"]]
        for model_id in await _orphaned(database, open_ended):
            message = f"model {model_id!r} does not exist, but its history does not end with its deletion"
            diagnosis.add(Kind.ORPHANED_HISTORY, message)
            if diagnosis.repair:
                diagnosis.add_repaired(Kind.ORPHANED_HISTORY, await _add_deletion(database, model_id))


async def _last_revisions(database: Database, match: Sequence[Record], limit: int) -> list[Record]:
    # The limit may cut through the history of the last model, whose newest revision comes first.
    newest_first: list[dict[str, Any]] = [{"$sort": {"model_id": 1, "version": -1}}, {"$limit": limit}]
    project = {"$project": {"model_id": 1, **_ENDED}}
    group = {"$group": {"_id": "$model_id", "ended": {"$first": "$ended"}}}
    return await database.aggregate(Revision, [*match, *newest_first, project, group])


async def _orphaned(database: Database, model_ids: Sequence[str]) -> list[str]:
    existing = await database.find(ModelRecord, {"_id": {"$in": list(model_ids)}}, fields=["_id"])
    absent = set(model_ids) - {record["_id"] for record in existing}
    # Read again: a model that was deleted meanwhile has its last revision by now.
    return [model_id for model_id in sorted(absent) if not (await _last(database, model_id)).get("ended", True)]


async def _last(database: Database, model_id: str) -> Record:
    newest: list[dict[str, Any]] = [{"$match": {"model_id": model_id}}, {"$sort": {"version": -1}}, {"$limit": 1}]
    found = await database.aggregate(Revision, [*newest, {"$project": {"version": 1, **_ENDED}}])
    return found[0] if found else {}


async def _add_deletion(database: Database, model_id: str) -> int:
    version = (await _last(database, model_id)).get("version")
    if not isinstance(version, int):
        return 0
    sides = stored_sides(await last_content(database, model_id), None)
    deletion = build_revision(model_id, ChangeKind.DELETE, sides, version=version + 1, moment=now(), by=None)
    written, _ = await database.write_many(Revision, [insert_one(deletion)])
    return written
