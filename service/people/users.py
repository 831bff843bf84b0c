"""Users: adding, changing and finding them, and keeping the keys of their records in step."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from documents import Group, User
from documents.derived_keys import OwnerFacts, UserDerivedKeys, user_derived_keys
from documents.folding import fold
from documents.grant import PrincipalType
from documents.text import text_problem
from documents.user import Role
from service.clock import now
from service.database.client import Database
from service.database.locks import serialized
from service.database.writes import update_one
from service.errors import ConflictError, NotFoundError, invalid_input
from service.models.derived_keys import owners, refresh_derived_keys
from service.models.principals import EXISTING, require_all_existing, require_existing
from service.models.record import changed_fields
from service.people.leftovers import clear_leftovers

TAKEN = "The id or the email is taken by another user."
LAST_ADMIN = "The last admin can't be removed."

# What tells whether somebody is an admin who can act.
_POWERS = ("role", "is_active")


def new_user_id() -> str:
    """Return a random id for a user who came without one."""
    return f"u-{secrets.token_hex(8)}"


async def add_user(
    database: Database,
    *,
    email: str,
    name: str,
    username: str | None = None,
    role: Role = Role.USER,
    user_id: str | None = None,
    group_ids: Sequence[str] = (),
) -> User:
    """Store a new user; raise InvalidInputError for bad fields and ConflictError for a taken id or email."""
    moment = now()
    try:
        user = User(
            id=new_user_id() if user_id is None else user_id,
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
            await clear_leftovers(database, PrincipalType.USER, [user_id])
        if not await database.insert(user):
            raise ConflictError(TAKEN)

    # A random id is new, and what is new has nothing that could change at the same moment.
    await (insert() if user_id is None and not user.group_ids else serialized(database, insert))
    # Records can be older than their owner: they may have been imported first.
    await finish_refresh(database, [user.id])
    return user


async def update_user(database: Database, user_id: str, said: Mapping[str, Any]) -> None:
    """Change what is said of a user, and what is found by it.

    Raises NotFoundError, and ConflictError for an email that is taken and for the last admin.
    """

    async def work() -> bool:
        return await _update(database, user_id, said)

    pending = await (serialized(database, work) if said.keys() & set(_POWERS) else database.in_transaction(work))
    if pending:
        await finish_refresh(database, [user_id])


async def _update(database: Database, user_id: str, said: Mapping[str, Any]) -> bool:
    """Store what is said of a user; say whether their records have yet to follow."""
    user = await require_existing(database, User, user_id)
    changed = {field: said[field] for field in changed_fields({f: user[f] for f in said if f in user}, said)}
    if not changed:
        return bool(user.get("rekey_pending"))
    after = {**user, **changed}
    if is_acting_admin(user) and not is_acting_admin(after):
        await require_other_admin(database, user_id)
    if changed.keys() & set(OwnerFacts._fields):
        changed |= {"keys": derived_keys_of_user(after).model_dump(), "rekey_pending": True}
    write = update_one({"_id": user_id}, {"$set": {**changed, "updated_at": now()}})
    _, taken = await database.write_many(User, [write], any_shape=[user_id])
    if taken:
        raise ConflictError(TAKEN)
    return bool(changed.get("rekey_pending") or user.get("rekey_pending"))


def is_acting_admin(user: Mapping[str, Any]) -> bool:
    """Say whether a user, given as stored, is an admin who can act."""
    return user.get("role") == Role.ADMIN and user.get("is_active") is True


async def require_other_admin(database: Database, user_id: str) -> None:
    """Raise ConflictError when no admin but this one can act; only what is guarded can rely on it."""
    query = {"role": Role.ADMIN.value, "_id": {"$ne": user_id}, **EXISTING}
    if not any(map(is_acting_admin, await database.find(User, query, fields=_POWERS))):
        raise ConflictError(LAST_ADMIN)


def derived_keys_of_user(user: Mapping[str, Any]) -> UserDerivedKeys:
    """Derive the keys of a user given as stored: others can have written anything in the place of a text."""
    name, username = (value if isinstance(value := user.get(field), str) else "" for field in ("name", "username"))
    return user_derived_keys(email=str(user.get("email")), name=name, username=username)


async def finish_refresh(database: Database, user_ids: Sequence[str]) -> int:
    """Bring the keys of these users' records up to date, then clear their `rekey_pending`.

    Returns how many records had stale keys. Interrupted anywhere, it can be run again.
    """
    if not user_ids:
        return 0
    query = {"_id": {"$in": list(user_ids)}, "rekey_pending": True}
    pending = await database.find(User, query, fields=["name", "email", "username"])
    mended = await follow_owners(database, user_ids)
    # One who was changed again meanwhile stays pending for whoever changed them.
    done = [update_one(facts, {"$set": {"rekey_pending": False}}) for facts in pending]
    await database.write_many(User, done, any_shape=[facts["_id"] for facts in pending])
    return mended


async def follow_owners(database: Database, user_ids: Sequence[str]) -> int:
    """Bring the keys of these users' records up to date; return how many were stale.

    Whoever changes a user does so before this: of two who change the same one, the slower may derive from what
    the other has changed already, and then it looks again.
    """
    mended, known = 0, None
    while (fresh := await owners(database, user_ids)) != known:
        known = fresh
        mended += await refresh_derived_keys(database, {"user_id": {"$in": list(user_ids)}})
    return mended


async def find_user(database: Database, id_or_email: str) -> User:
    """Return the user with this id or, failing that, this email.

    Raises NotFoundError, and ConflictError for one whom others wrote malformed.
    """
    queries = [{"_id": id_or_email}, {"keys.email": fold(id_or_email)}]
    for query in queries if text_problem(id_or_email) is None else ():
        try:
            if user := await database.get(User, {**query, **EXISTING}):
                return user
        except ValidationError:
            raise ConflictError(f"The user {id_or_email!r} is malformed; see: modeldeck doctor") from None
    raise NotFoundError(f"There is no user with the id or email {id_or_email!r}.")
