"""Transferring models to a new owner."""

from collections.abc import Sequence

from documents import User
from documents.revision import Change
from service.database.client import Database
from service.errors import InvalidInputError
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_matching, change_models
from service.models.principals import EXISTING


async def transfer(
    database: Database, from_id: str, to_id: str, model_ids: Sequence[str] | None, by: str | None
) -> list[RecordResult]:
    """Transfer all models, or some, of a user who need not exist to another user; return a result for each model.

    `by` is the user who asks for it. Raises InvalidInputError unless the new owner is another, active user.
    """
    if from_id == to_id:
        raise InvalidInputError([{"loc": ["to_user_id"], "msg": "must be another user than from_user_id"}])
    await _require_active(database, to_id)
    bulk = BulkChange(Change.TRANSFER, by, {"user_id": from_id}, lambda _: {"user_id": to_id})
    if model_ids is not None:
        return await change_models(database, list(dict.fromkeys(model_ids)), bulk)
    results: list[RecordResult] = []
    async for batch in change_matching(database, bulk.condition, bulk):
        await _require_active(database, to_id)
        # Models that changed their owner meanwhile were not asked for by id, so they need no result.
        results += [result for result in batch if result.status is not RecordStatus.NOT_FOUND]
    return results


async def _require_active(database: Database, to_id: str) -> None:
    if not await database.count(User, {"_id": to_id, "is_active": True, **EXISTING}):
        raise InvalidInputError([{"loc": ["to_user_id"], "msg": f"there is no active user {to_id!r}"}])
