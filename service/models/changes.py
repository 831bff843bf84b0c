"""The life of one model record: created, changed, deleted, each time on the record as it is at that moment."""

from collections.abc import Callable
from dataclasses import dataclass

from documents import ModelRecord
from documents.revision import Change
from service import access
from service.database import Database
from service.errors import ConflictError, ForbiddenError, NotFoundError, StaleVersionError
from service.exact_bson import Record, same_content
from service.identity import Caller
from service.models.compose import SAID, Said, require_storable
from service.models.departed import withdraw_absent
from service.models.each import CONTENDED, malformed
from service.models.principals import require_principals
from service.models.soundness import unsound_fields
from service.models.writes import ATTEMPTS, LostRaceError, Planned, step_back, store

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


async def create(database: Database, caller: Caller, model_id: str, said: Said) -> None:
    """Store a new record of the caller's; raise ConflictError when the id is taken."""
    said = {**said, "user_id": caller.user_id}
    await require_principals(database, said["access_grants"], _GRANTS)
    require_storable(said)
    for attempt in range(ATTEMPTS):
        if await database.find(ModelRecord, {"_id": model_id}, fields=["_id"]):
            raise ConflictError(TAKEN)
        if await _stored(database, caller, Planned(model_id, Change.CREATE, None, said)):
            return
        await step_back(attempt)
    raise ConflictError(CONTENDED)


async def change(database: Database, request: ChangeRequest, amend: Callable[[Record], Said]) -> None:
    """Change a record to what `amend` makes of what it says now; nothing is stored when that is the same.

    Raises NotFoundError for a record that is absent or hidden from the caller, ForbiddenError for one
    that they can see and not change, StaleVersionError when they insist on an older version. When
    somebody else is faster, the change is made anew on what they left, unless a version was insisted on.
    """
    for attempt in range(ATTEMPTS):
        record = await require_changeable(database, request)
        before = {field: record[field] for field in SAID}
        after = {**before, **amend(record)}
        if same_content(before, after):
            return
        if after["access_grants"] != before["access_grants"]:
            await require_principals(database, after["access_grants"], _GRANTS)
        require_storable(after)
        if await _stored(database, request.caller, Planned(request.model_id, request.change, record, after)):
            return
        await step_back(attempt)
    raise ConflictError(CONTENDED)


async def delete(database: Database, request: ChangeRequest) -> None:
    """Delete a record; raises as `change` does."""
    for attempt in range(ATTEMPTS):
        record = await require_changeable(database, request)
        if await _stored(database, request.caller, Planned(request.model_id, request.change, record, None)):
            return
        await step_back(attempt)
    raise ConflictError(CONTENDED)


async def require_changeable(database: Database, request: ChangeRequest) -> Record:
    """Return the record as it is now, if the caller may change it; raises as `change` does."""
    found = await database.find(ModelRecord, {"_id": request.model_id, **access.readable(request.caller)})
    if not found:
        raise NotFoundError(HIDDEN)
    record = found[0]
    if not access.can_write(request.caller, record):
        raise ForbiddenError(READ_ONLY)
    if request.manages and not access.can_manage(request.caller, record):
        raise ForbiddenError(NOT_MANAGED)
    if unsound := unsound_fields(record, with_params=True):
        raise ConflictError(malformed(unsound))
    if request.expected_version not in (None, record["version"]):
        raise StaleVersionError(record["version"])
    return record


async def _stored(database: Database, caller: Caller, planned: Planned) -> bool:
    try:
        await store(database, [planned], caller.user_id)
    except LostRaceError:
        return False
    if planned.said is not None and planned.said["access_grants"] != (planned.before or {}).get("access_grants", []):
        await withdraw_absent(database, planned.said["access_grants"])
    return True
