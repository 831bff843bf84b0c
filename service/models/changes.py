"""Changes of a model record: each one conditional on what was read, and stored together with its revision."""

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documents import Group, ModelRecord, Revision, User
from documents.grant import EVERYONE, AccessGrant, PrincipalType
from documents.revision import Change
from service import access
from service.clock import now
from service.database import Database
from service.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StaleVersionError,
)
from service.exact_bson import Record, same_content
from service.identity import Caller
from service.models.compose import SAID, compose, require_storable
from service.models.rekey import owners, rekey_where
from service.models.soundness import unsound_fields

ATTEMPTS = 50
MAX_PAUSE_SECONDS = 0.25
HIDDEN = "There is no such model, or it is not shared with you."

Said = Mapping[str, Any]


class _LostRaceError(Exception):
    """Somebody else changed the record since it was read."""


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
    await _require_principals(database, said["access_grants"])
    require_storable(said)
    owner = (await owners(database, [caller.user_id])).get(caller.user_id)

    async def work() -> None:
        version = (await last_versions(database, [model_id])).get(model_id, 0) + 1
        moment = now()
        record = compose(model_id, said, version=version, created_at=moment, updated_at=moment, owner=owner)
        if not await database.insert_record(ModelRecord, record):
            raise ConflictError("This model id is taken.")
        await _remember(database, ChangeRequest(caller, model_id, Change.CREATE), version, None, said)

    await database.in_transaction(work)
    await _follow_owner(database, model_id, said, owner)


async def last_versions(database: Database, model_ids: Sequence[str]) -> dict[str, int]:
    """Return the last recorded version of each of these ids that has a history.

    A new record goes on from there, where an earlier one of its id ended, so that no version ever means
    two things.
    """
    group = {"_id": "$model_id", "version": {"$max": "$version"}}
    found = await database.aggregate(Revision, [{"$match": {"model_id": {"$in": list(model_ids)}}}, {"$group": group}])
    return {last["_id"]: last["version"] for last in found}


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
            await _require_principals(database, after["access_grants"])
        require_storable(after)
        owner = (await owners(database, [after["user_id"]])).get(after["user_id"])
        whole = compose(
            request.model_id,
            after,
            version=record["version"] + 1,
            created_at=record["created_at"],
            updated_at=max(now(), record["updated_at"]),
            owner=owner,
        )
        if await _stored(database, request, record["version"], before, whole):
            await _follow_owner(database, request.model_id, after, owner)
            return
        await _step_back(attempt)
    raise ConflictError("This model is being changed by others all the time; try again later.")


async def delete(database: Database, request: ChangeRequest) -> None:
    """Delete a record; raises as `change` does."""
    for attempt in range(ATTEMPTS):
        record = await require_changeable(database, request)
        before = {field: record[field] for field in SAID}
        if await _stored(database, request, record["version"], before, None):
            return
        await _step_back(attempt)
    raise ConflictError("This model is being changed by others all the time; try again later.")


async def _step_back(attempt: int) -> None:
    # At random, and longer each time, so that many who want the same record do not keep meeting.
    await asyncio.sleep(random.uniform(0, min(0.002 * 2**attempt, MAX_PAUSE_SECONDS)))  # noqa: S311  # no secret


async def require_changeable(database: Database, request: ChangeRequest) -> Record:
    """Return the record as it is now, if the caller may change it; raises as `change` does."""
    found = await database.find(ModelRecord, {"_id": request.model_id, **access.readable(request.caller)})
    if not found:
        raise NotFoundError(HIDDEN)
    record = found[0]
    if not access.can_write(request.caller, record):
        raise ForbiddenError("You may read this model, but not change it.")
    if request.manages and not access.can_manage(request.caller, record):
        raise ForbiddenError("Only the owner of this model and admins may do this.")
    if unsound := unsound_fields(record, with_params=True):
        raise ConflictError(f"This model was written past the service and is malformed: {', '.join(unsound)}.")
    if request.expected_version not in (None, record["version"]):
        raise StaleVersionError(record["version"])
    return record


async def _stored(database: Database, request: ChangeRequest, version: int, before: Said, whole: Record | None) -> bool:
    match = {"_id": request.model_id, "version": version}

    async def work() -> None:
        if whole is None:
            done = await database.delete_many(ModelRecord, match) == 1
        else:
            fields = {name: value for name, value in whole.items() if name != "_id"}
            done = await database.update_one(ModelRecord, match, {"$set": fields})
        if not done:
            raise _LostRaceError
        after = None if whole is None else {field: whole[field] for field in SAID}
        await _remember(database, request, version + 1, before, after)

    try:
        await database.in_transaction(work)
    except _LostRaceError:
        return False
    return True


async def _remember(
    database: Database, request: ChangeRequest, version: int, before: Said | None, after: Said | None
) -> None:
    revision = Revision(
        id=secrets.token_hex(16),
        model_id=request.model_id,
        version=version,
        at=now(),
        by=request.caller.user_id,
        change=request.change,
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
    )
    if not await database.insert(revision):
        raise ConflictError(f"Version {version} of this model is recorded already.")


async def _require_principals(database: Database, grants: Sequence[Mapping[str, Any]]) -> None:
    errors = []
    for kind, document in ((PrincipalType.USER, User), (PrincipalType.GROUP, Group)):
        named = {grant["principal_id"] for grant in grants if grant["principal_type"] == kind}
        if kind is PrincipalType.USER:
            named -= {EVERYONE}
        found = await database.find(document, {"_id": {"$in": sorted(named)}}, fields=["_id"]) if named else []
        absent = named - {principal["_id"] for principal in found}
        errors += [
            {"loc": ["body", "access_grants"], "msg": f"there is no {kind} {principal!r}"}
            for principal in sorted(absent)
        ]
    if errors:
        raise InvalidInputError(errors)


async def _follow_owner(database: Database, model_id: str, said: Said, owner: Any) -> None:
    # The owner can have been renamed between the reading of their name and the writing of the record.
    if (await owners(database, [said["user_id"]])).get(said["user_id"]) != owner:
        await rekey_where(database, {"_id": model_id})


def plain_grants(grants: Sequence[AccessGrant]) -> list[dict[str, Any]]:
    """Return grants as they are stored."""
    return [grant.model_dump() for grant in grants]
