"""Users: adding, changing and finding them, and refreshing the derived keys of their models."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from documents import Group, User
from documents.derived_keys import OwnerFields, UserDerivedKeys, user_derived_keys
from documents.folding import fold
from documents.people_change import PeopleChangeKind
from documents.revision import ChangeKind
from documents.text import text_problem
from documents.user import Role
from service.auth.access_rule import Match
from service.auth.authentication import Caller, RightsCheck, without_check
from service.clock import epoch_seconds, now
from service.database.client import Database
from service.database.locks import serialized
from service.database.writes import update_one
from service.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    RightsChangedError,
    UnauthorizedError,
    invalid_input,
)
from service.http.pagination import PageParams
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_matching, change_models
from service.models.derived_keys import existing_owners, refresh_derived_keys
from service.models.principals import EXISTING, require_all_existing, require_existing
from service.models.record import changed_fields
from service.people.history.recording import Occasion, recorded
from service.people.leftovers import clear_leftovers
from service.people.schemas import TransferModels

TAKEN = "The id or the email is taken by another user."
LAST_ADMIN = "The last admin can't be removed."

# The fields that decide whether a user is an active admin.
_ADMIN_FIELDS = ("role", "is_active")


async def add_user(
    database: Database,
    *,
    email: str,
    name: str,
    username: str | None = None,
    role: Role = Role.USER,
    user_id: str | None = None,
    group_ids: Sequence[str] = (),
    by: str | None,
) -> User:
    """Store a new user; raise InvalidInputError for invalid fields and ConflictError for a taken id or email.

    `by` is the user who asks for it, None for the command line.
    """
    moment = now()
    try:
        user = User(
            id=f"u-{secrets.token_hex(8)}" if user_id is None else user_id,
            email=email,
            name=name,
            username=username,
            role=role,
            is_active=True,
            group_ids=list(dict.fromkeys(group_ids)),
            created_at=moment,
            updated_at=moment,
            keys=user_derived_keys(email=email, name=name, username=username),
            rekey_pending=True,
        )
    except ValidationError as error:
        raise invalid_input(error) from None

    async def insert() -> None:
        await require_all_existing(database, Group, user.group_ids, "group_ids")
        if user_id is not None:
            if await database.count(User, {"_id": user_id}):
                raise ConflictError(TAKEN)
            await clear_leftovers(database, User, [user_id])
        async with recorded(database, User, Occasion(by, PeopleChangeKind.CREATE), new=[user.id]):
            if not await database.insert(user):
                raise ConflictError(TAKEN)

    # A random id needs no lock: nothing else refers to it yet.
    needs_lock = user_id is not None or user.group_ids
    await (serialized(database, insert) if needs_lock else database.in_transaction(insert))
    # Models may have been imported before their owner was added.
    await finish_refresh(database, [user.id])
    return user


async def update_user(database: Database, user_id: str, content: Mapping[str, Any], by: str | None) -> None:
    """Change fields of a user, and then the derived keys that depend on them; `by` is the user who asks for it.

    Raises NotFoundError, and ConflictError for a taken email and for the last admin.
    """

    async def work() -> bool:
        return await _update(database, user_id, content, by)

    needs_lock = content.keys() & set(_ADMIN_FIELDS)
    pending = await (serialized(database, work) if needs_lock else database.in_transaction(work))
    if pending:
        await finish_refresh(database, [user_id])


async def _update(database: Database, user_id: str, content: Mapping[str, Any], by: str | None) -> bool:
    """Store changed fields of a user; return whether the derived keys of their models need a refresh."""
    user = await require_existing(database, User, user_id)
    stored = {field: user[field] for field in content if field in user}
    changed = {field: content[field] for field in changed_fields(stored, content)}
    if not changed:
        return bool(user.get("rekey_pending"))
    after = {**user, **changed}
    if is_active_admin(user) and not is_active_admin(after):
        await require_other_admin(database, user_id)
    if changed.keys() & set(OwnerFields._fields):
        changed |= {"keys": derived_keys_of_user(after).model_dump(), "rekey_pending": True}
    write = update_one({"_id": user_id}, {"$set": {**changed, "updated_at": now()}})
    async with recorded(database, User, Occasion(by, PeopleChangeKind.UPDATE), changed={"_id": user_id}):
        _, taken = await database.write_many(User, [write], any_shape=[user_id])
        if taken:
            raise ConflictError(TAKEN)
    return bool(changed.get("rekey_pending") or user.get("rekey_pending"))


def is_active_admin(user: Mapping[str, Any]) -> bool:
    """Return whether a stored user is an active admin."""
    return user.get("role") == Role.ADMIN and user.get("is_active") is True


async def require_other_admin(database: Database, user_id: str) -> None:
    """Raise ConflictError when there is no other active admin; reliable only while the lock on people is held."""
    query = {"role": Role.ADMIN.value, "_id": {"$ne": user_id}, **EXISTING}
    if not any(map(is_active_admin, await database.find(User, query, fields=_ADMIN_FIELDS))):
        raise ConflictError(LAST_ADMIN)


def derived_keys_of_user(user: Mapping[str, Any]) -> UserDerivedKeys:
    """Derive the keys of a stored user, whose fields may have any type if they were written past the service."""
    name, username = (value if isinstance(value := user.get(field), str) else "" for field in ("name", "username"))
    return user_derived_keys(email=str(user.get("email")), name=name, username=username)


async def finish_refresh(database: Database, user_ids: Sequence[str]) -> int:
    """Refresh the derived keys of these users' models, then clear `rekey_pending` of the users.

    Returns how many models had stale derived keys. If it is interrupted, it can be run again.
    """
    if not user_ids:
        return 0
    query = {"_id": {"$in": list(user_ids)}, "rekey_pending": True}
    pending = await database.find(User, query, fields=["name", "email", "username"])
    refreshed = await refresh_models_of(database, user_ids)
    # Matched by all fields: a user who was changed again meanwhile stays pending, and that change clears it.
    cleared = [update_one(user, {"$set": {"rekey_pending": False}}) for user in pending]
    await database.write_many(User, cleared, any_shape=[user["_id"] for user in pending])
    return refreshed


async def refresh_models_of(database: Database, user_ids: Sequence[str]) -> int:
    """Refresh the derived keys of these users' models; return how many were stale.

    Call this after changing the users. It repeats until the users no longer change: of two concurrent changes of a
    user, the slower refresh may otherwise store keys derived from the older state.
    """
    refreshed, used = 0, None
    while (owners := await existing_owners(database, user_ids)) != used:
        used = owners
        refreshed += await refresh_derived_keys(database, {"user_id": {"$in": list(user_ids)}})
    return refreshed


async def find_user(database: Database, id_or_email: str) -> User:
    """Return the user with this id or else this email.

    Raises NotFoundError, and ConflictError for a malformed user.
    """
    queries = [{"_id": id_or_email}, {"keys.email": fold(id_or_email)}]
    for query in queries if text_problem(id_or_email) is None else ():
        try:
            if user := await database.get(User, {**query, **EXISTING}):
                return user
        except ValidationError:
            raise ConflictError(f"The user {id_or_email!r} is malformed; see: modeldeck doctor") from None
    raise NotFoundError(f"There is no user with the id or email {id_or_email!r}.")


async def users_page(database: Database, match: Match, params: PageParams) -> dict[str, Any]:
    """Return a page of the matching users for the API."""
    # Ids of other types, which were written past the service, can't be addressed by any route.
    query = {**match, **EXISTING, "_id": {"$type": "string"}}
    order = [("keys.email", 1), ("_id", 1)]
    found = await database.find(User, query, sort=order, skip=params.skip, limit=params.page_size)
    return {"items": [_rendered(user) for user in found], "total": await database.count(User, query)}


async def one_user(database: Database, user_id: str) -> dict[str, Any]:
    """Return one user for the API; raise NotFoundError."""
    return _rendered(await require_existing(database, User, user_id))


def _rendered(user: Mapping[str, Any]) -> dict[str, Any]:
    # A user who was written past the service can lack fields, which must not break the page.
    return {
        "id": user["_id"],
        **{field: user.get(field) for field in ("name", "email", "username", "role")},
        "is_active": user.get("is_active") is True,
        "group_ids": user["group_ids"] if isinstance(user.get("group_ids"), list) else [],
        "created_at": epoch_seconds(user.get("created_at")),
        "updated_at": epoch_seconds(user.get("updated_at")),
    }


async def describe_caller(database: Database, caller: Caller) -> dict[str, Any]:
    """Return the caller for the API, with the scope of their API key and all groups whose grants they have."""
    user = await one_user(database, caller.user_id)
    groups = sorted(name.partition(":")[2] for name in caller.principals if name.startswith("group:"))
    fields = {field: user[field] for field in ("id", "name", "email", "username", "role")}
    return {**fields, "scope": caller.scope, "group_ids": groups}


async def transfer_models(
    database: Database, body: TransferModels, by: str, check: RightsCheck = without_check
) -> dict[str, Any]:
    """Transfer all models, or some, of a user who need not exist to another user; return the result for the API.

    `by` is the user who asks for it. Raises InvalidInputError unless the new owner is another, active user, and as
    `check` does, which is called before each batch.
    """
    results = await _transfer(database, body, by, check)
    failed = [result for result in results if result.status is not RecordStatus.CHANGED]
    return {
        "transferred": len(results) - len(failed),
        "failed": [{"id": result.model_id, "detail": result.detail or "not found"} for result in failed],
    }


async def _transfer(database: Database, body: TransferModels, by: str, check: RightsCheck) -> list[RecordResult]:
    from_id, to_id = body.from_user_id, body.to_user_id
    if from_id == to_id:
        raise InvalidInputError([{"loc": ["to_user_id"], "msg": "must be another user than from_user_id"}])
    await _require_active(database, to_id)
    bulk = BulkChange(ChangeKind.TRANSFER, by, {"user_id": from_id}, lambda _: {"user_id": to_id}, check)
    if body.ids is not None:
        return await change_models(database, list(dict.fromkeys(body.ids)), bulk)
    results: list[RecordResult] = []
    try:
        async for batch in change_matching(database, bulk.condition, bulk):
            await _require_active(database, to_id)
            # Models that changed their owner meanwhile were not asked for by id, so they need no result.
            results += [result for result in batch if result.status is not RecordStatus.NOT_FOUND]
    except (UnauthorizedError, RightsChangedError) as error:
        transferred = sum(result.status is RecordStatus.CHANGED for result in results)
        if not transferred:
            raise
        raise RightsChangedError(f"{transferred:,} models had been transferred before.") from error
    return results


async def _require_active(database: Database, to_id: str) -> None:
    if not await database.count(User, {"_id": to_id, "is_active": True, **EXISTING}):
        raise InvalidInputError([{"loc": ["to_user_id"], "msg": f"there is no active user {to_id!r}"}])
