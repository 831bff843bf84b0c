"""Users: adding one, finding one, and keeping the keys of their records in step."""

import secrets
from collections.abc import Sequence

from pydantic import ValidationError

from documents import User
from documents.folding import fold
from documents.keys import user_keys
from documents.text import text_problem
from documents.user import Role
from service.clock import now
from service.database import Database, update_one
from service.errors import ConflictError, NotFoundError, invalid_input
from service.models.rekey import rekey_where


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
) -> User:
    """Store a new user; raise InvalidInputError for bad fields and ConflictError for a taken id or email."""
    moment = now()
    try:
        user = User(
            id=user_id or new_user_id(),
            email=email,
            name=name,
            username=username,
            role=role,
            created_at=moment,
            updated_at=moment,
            keys=user_keys(email=email),
            rekey_pending=True,
        )
    except ValidationError as error:
        raise invalid_input(error) from None
    if not await database.insert(user):
        raise ConflictError("The id or the email is taken by another user.")
    # Records can be older than their owner: they may have been imported first.
    await finish_rekeying(database, [user.id])
    return user


async def finish_rekeying(database: Database, user_ids: Sequence[str]) -> int:
    """Bring the keys of these users' records up to date, then clear their `rekey_pending`.

    Returns how many records had stale keys. Interrupted anywhere, it can be run again.
    """
    if not user_ids:
        return 0
    query = {"_id": {"$in": list(user_ids)}, "rekey_pending": True}
    pending = await database.find(User, query, fields=["name", "email", "username"])
    mended = await rekey_where(database, {"user_id": {"$in": list(user_ids)}})
    # One who was changed again meanwhile stays pending for whoever changed them.
    await database.write_many(User, [update_one(facts, {"$set": {"rekey_pending": False}}) for facts in pending])
    return mended


async def find_user(database: Database, id_or_email: str) -> User:
    """Return the user with this id or, failing that, this email; raise NotFoundError."""
    queries = [{"_id": id_or_email}, {"keys.email": fold(id_or_email)}]
    for query in queries if text_problem(id_or_email) is None else ():
        if user := await database.get(User, query):
            return user
    raise NotFoundError(f"There is no user with the id or email {id_or_email!r}.")
