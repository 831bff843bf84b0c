"""The life of one model record: created, changed, deleted, each time on the record as it is at that moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from documents import ModelRecord
from documents.revision import Change
from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record, same_content
from service.errors import ConflictError, ForbiddenError, NotFoundError, StaleVersionError
from service.models.bulk_change import malformed
from service.models.grant_revocation import revoke_absent_grants
from service.models.principals import require_principals
from service.models.record import CONTENT_FIELDS, Content, require_storable
from service.models.shape_check import malformed_fields
from service.models.store import LostRaceError, PlannedWrite, claimant_of, last_recorded, retry_serialized, store

HIDDEN = "There is no such model, or it is not shared with you."
TAKEN = "This model id is taken."
READ_ONLY = "You may read this model, but not change it."
NOT_MANAGED = "Only the owner of this model and admins may do this."
_GRANTS = ("body", "access_grants")


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A change that somebody asks for: of which model, of what kind, and on what terms.

    `expected_version` is the version that the caller has seen, when they insist on it; `manages`
    is for changes that only the owner and admins may make.
    """

    caller: Caller
    model_id: str
    change: Change
    expected_version: int | None = None
    manages: bool = False


async def create(database: Database, caller: Caller, model_id: str, said: Content) -> None:
    """Store a new record of the caller's; raise ConflictError when the id is taken."""
    said = {**said, "user_id": caller.user_id}
    await require_principals(database, said["access_grants"], _GRANTS)
    require_storable(said)
    planned = PlannedWrite(model_id, Change.CREATE, None, said, claimant=claimant_of(caller))

    async def attempt() -> bool:
        if await _stored(database, caller, planned):
            return True
        # Only now, since most ids are free.
        if await ids_not_free(database, [model_id], caller):
            raise ConflictError(TAKEN)
        return False

    await retry_serialized(database, model_id, attempt)
    await _follow_grants(database, planned)


async def change(database: Database, request: ChangeRequest, amend: Callable[[Record], Content]) -> None:
    """Change a record to what `amend` makes of what it says now; nothing is stored when that is the same.

    Raises NotFoundError for a record that is absent or hidden from the caller, ForbiddenError for one
    that they can see and not change, StaleVersionError when they insist on an older version. When
    somebody else is faster, the change is made anew on what they left, unless a version was insisted on.
    """
    written: list[PlannedWrite] = []

    async def attempt() -> bool:
        record = await require_changeable(database, request)
        before = {field: record[field] for field in CONTENT_FIELDS}
        after = {**before, **amend(record)}
        if same_content(before, after):
            return True
        if after["access_grants"] != before["access_grants"]:
            await require_principals(database, after["access_grants"], _GRANTS)
        require_storable(after)
        written[:] = [PlannedWrite(request.model_id, request.change, record, after)]
        return await _stored(database, request.caller, written[0])

    await retry_serialized(database, request.model_id, attempt)
    for planned in written:
        await _follow_grants(database, planned)


async def delete(database: Database, request: ChangeRequest) -> None:
    """Delete a record, also one that others wrote malformed; raises as `change` does."""

    async def attempt() -> bool:
        record = await require_changeable(database, request, sound=False)
        return await _stored(database, request.caller, PlannedWrite(request.model_id, request.change, record, None))

    await retry_serialized(database, request.model_id, attempt)


async def ids_not_free(database: Database, model_ids: Sequence[str], caller: Caller) -> set[str]:
    """Return those of the ids that the caller can't give to a new record.

    They are taken, or were last those of a record of somebody else's.
    """
    there = await database.find(ModelRecord, {"_id": {"$in": list(model_ids)}}, fields=["_id"])
    taken = {record["_id"] for record in there}
    if (claimant := claimant_of(caller)) is None:
        return taken
    left = await last_recorded(database, [one for one in model_ids if one not in taken])
    return taken | {one for one, last in left.items() if last.bars(claimant)}


async def require_changeable(database: Database, request: ChangeRequest, *, sound: bool = True) -> Record:
    """Return the record as it is now, if the caller may change it and, unless told otherwise, it is sound.

    Raises as `change` does.
    """
    found = await database.find(ModelRecord, {"_id": request.model_id, **access_rule.readable(request.caller)})
    if not found:
        raise NotFoundError(HIDDEN)
    record = found[0]
    if not access_rule.can_write(request.caller, record):
        raise ForbiddenError(READ_ONLY)
    if request.manages and not access_rule.can_manage(request.caller, record):
        raise ForbiddenError(NOT_MANAGED)
    if sound and (unsound := malformed_fields(record, with_params=True)):
        raise ConflictError(malformed(unsound))
    if request.expected_version not in (None, record.get("version")):
        raise StaleVersionError(record.get("version", 0))
    return record


async def _stored(database: Database, caller: Caller, planned: PlannedWrite) -> bool:
    try:
        known = {} if caller.as_owner is None else {caller.user_id: caller.as_owner}
        await store(database, [planned], caller.user_id, known=known)
    except LostRaceError:
        return False
    return True


async def _follow_grants(database: Database, planned: PlannedWrite) -> None:
    if planned.said is not None and planned.said["access_grants"] != (planned.before or {}).get("access_grants", []):
        await revoke_absent_grants(database, planned.said["access_grants"])
