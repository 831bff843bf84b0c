"""Creating, changing and deleting one model record, always based on its state at that moment."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from documents import ModelRecord
from documents.revision import ChangeKind
from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record, same_content
from service.errors import ConflictError, ForbiddenError, NotFoundError, StaleVersionError
from service.models.bulk_change import malformed_detail
from service.models.grant_revocation import revoke_absent_grants
from service.models.item import ITEM_STAGES, render_item
from service.models.principals import require_principals
from service.models.record import CONTENT_FIELDS, Content, require_storable
from service.models.shape_check import malformed_fields
from service.models.store import (
    LostRaceError,
    PlannedWrite,
    last_revisions,
    retry_serialized,
    reuse_limit,
    store_planned,
)

HIDDEN = "There is no such model, or it is not shared with you."
TAKEN = "This model id is taken."
READ_ONLY = "You may read this model, but not change it."
NOT_MANAGED = "Only the owner of this model and admins may do this."
_GRANTS = ("body", "access_grants")
# The fields that can be large, and of which the shape check needs only the type.
_LARGE = ("params", "meta")


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A request to change one model.

    `expected_versions` are those of which the caller requires the model to have one, if any; `manages` is set for
    changes that only the owner and admins may make.
    """

    caller: Caller
    model_id: str
    change: ChangeKind
    expected_versions: Sequence[int] | None = None
    manages: bool = False


async def read(database: Database, caller: Caller, model_id: str, *, readers_see_params: bool) -> dict[str, Any]:
    """Return one model as the API shows it to the caller; raise NotFoundError when it is absent or hidden."""
    pipeline = [{"$match": {"_id": model_id, **access_rule.readable(caller)}}, *ITEM_STAGES]
    found = await database.aggregate(ModelRecord, pipeline)
    if not found:
        raise NotFoundError(HIDDEN)
    return render_item(found[0], caller, readers_see_params=readers_see_params)


async def create(
    database: Database,
    caller: Caller,
    model_id: str,
    content: Content,
    before_commit: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Store a new record that the caller owns; raise ConflictError when the id is taken.

    `before_commit` is the last part of the transaction that stores it.
    """
    content = {**content, "user_id": caller.user_id}
    await require_principals(database, content["access_grants"], _GRANTS)
    require_storable(content)
    planned = PlannedWrite(model_id, ChangeKind.CREATE, None, content, reuse_limited_to=reuse_limit(caller))

    async def attempt() -> bool:
        if await _try_to_store(database, caller, planned, before_commit):
            return True
        # Checked only after a failure, since most ids are free.
        if await ids_not_free(database, [model_id], caller):
            raise ConflictError(TAKEN)
        return False

    await retry_serialized(database, model_id, attempt)
    await _revoke_absent(database, planned)


async def change(database: Database, request: ChangeRequest, new_content: Callable[[Record], Content]) -> None:
    """Change a record to what `new_content` returns for its current state; store nothing if that is the same.

    Raises NotFoundError for a record that is absent or hidden from the caller, ForbiddenError for one that they may
    read but not change, StaleVersionError when it has none of the expected versions. When someone else changes the
    record first, the change is computed again on the new state, unless a version is expected.
    """
    written: list[PlannedWrite] = []

    async def attempt() -> bool:
        record = await require_changeable(database, request)
        before = {field: record[field] for field in CONTENT_FIELDS}
        after = {**before, **new_content(record)}
        if same_content(before, after):
            return True
        if after["access_grants"] != before["access_grants"]:
            await require_principals(database, after["access_grants"], _GRANTS)
        require_storable(after)
        written[:] = [PlannedWrite(request.model_id, request.change, record, after)]
        return await _try_to_store(database, request.caller, written[0])

    await retry_serialized(database, request.model_id, attempt)
    for planned in written:
        await _revoke_absent(database, planned)


async def delete(database: Database, request: ChangeRequest) -> None:
    """Delete a record, even a malformed one; raises as `change` does."""

    async def attempt() -> bool:
        record = await require_changeable(database, request, well_formed=False)
        planned = PlannedWrite(request.model_id, request.change, record, None)
        return await _try_to_store(database, request.caller, planned)

    await retry_serialized(database, request.model_id, attempt)


async def ids_not_free(database: Database, model_ids: Sequence[str], caller: Caller) -> set[str]:
    """Return those of the ids that the caller can't give to a new record.

    They are taken, or they last belonged to a record of another user.
    """
    existing = await database.find(ModelRecord, {"_id": {"$in": list(model_ids)}}, fields=["_id"])
    taken = {record["_id"] for record in existing}
    if (limit := reuse_limit(caller)) is None:
        return taken
    last = await last_revisions(database, [model_id for model_id in model_ids if model_id not in taken])
    return taken | {model_id for model_id, revision in last.items() if revision.forbids_reuse(limit)}


async def require_changeable(
    database: Database, request: ChangeRequest, *, well_formed: bool = True, emptied: bool = False
) -> Record:
    """Return the current record if the caller may change it and, by default, it passes the shape check.

    With `emptied`, its `params` and `meta` are empty, for callers who need no more of it than rights and version.
    Raises as `change` does, and ConflictError for a malformed record.
    """
    stages = [{"$match": {"_id": request.model_id, **access_rule.readable(request.caller)}}]
    found = await database.aggregate(ModelRecord, [*stages, _EMPTIED] if emptied else stages)
    if not found:
        raise NotFoundError(HIDDEN)
    record = found[0]
    if not access_rule.can_write(request.caller, record):
        raise ForbiddenError(READ_ONLY)
    if request.manages and not access_rule.can_manage(request.caller, record):
        raise ForbiddenError(NOT_MANAGED)
    if well_formed and (malformed := malformed_fields(record, with_params=True)):
        raise ConflictError(malformed_detail(malformed))
    if request.expected_versions is not None and record.get("version") not in request.expected_versions:
        raise StaleVersionError(record.get("version", 0))
    return record


def _emptied(field: str) -> dict[str, Any]:
    is_object = {"$eq": [{"$type": f"${field}"}, "object"]}
    return {"$cond": [is_object, {"$literal": {}}, f"${field}"]}


_EMPTIED = {"$set": {field: _emptied(field) for field in _LARGE}}


async def _try_to_store(
    database: Database,
    caller: Caller,
    planned: PlannedWrite,
    before_commit: Callable[[], Awaitable[None]] | None = None,
) -> bool:
    """Return whether the write was stored; False when someone else changed the record first."""
    owners = {} if caller.owner_fields is None else {caller.user_id: caller.owner_fields}
    try:
        await store_planned(database, [planned], caller.user_id, owners=owners, before_commit=before_commit)
    except LostRaceError:
        return False
    return True


async def _revoke_absent(database: Database, planned: PlannedWrite) -> None:
    grants = planned.content["access_grants"] if planned.content is not None else []
    if grants != (planned.before or {}).get("access_grants", []):
        await revoke_absent_grants(database, grants)
