"""Models that change hands."""

from collections.abc import Sequence

from documents import User
from documents.revision import Change
from service.database.client import Database
from service.errors import InvalidInputError
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_each, change_where
from service.models.principals import EXISTING


async def transfer(
    database: Database, from_id: str, to_id: str, model_ids: Sequence[str] | None, by: str | None
) -> list[RecordResult]:
    """Make a user the owner of all models of another, who may be gone, or of some; return what became of each.

    `by` is the user who asks for it. Raises InvalidInputError unless the new owner is active, and somebody else.
    """
    if from_id == to_id:
        raise InvalidInputError([{"loc": ["to_user_id"], "msg": "must be another user than from_user_id"}])
    await _require_active(database, to_id)
    wish = BulkChange(Change.TRANSFER, by, {"user_id": from_id}, lambda _: {"user_id": to_id})
    if model_ids is not None:
        return await change_each(database, list(dict.fromkeys(model_ids)), wish)
    outcomes: list[RecordResult] = []
    async for batch in change_where(database, wish.allowed, wish):
        await _require_active(database, to_id)
        # What is not theirs any more by now was not asked for.
        outcomes += [outcome for outcome in batch if outcome.status is not RecordStatus.NOT_FOUND]
    return outcomes


async def _require_active(database: Database, to_id: str) -> None:
    if not await database.count(User, {"_id": to_id, "is_active": True, **EXISTING}):
        raise InvalidInputError([{"loc": ["to_user_id"], "msg": f"there is no active user {to_id!r}"}])
