"""API keys: making one, and taking over one that was made elsewhere."""

import re
from datetime import datetime, timedelta

from pydantic import ValidationError

from documents import ApiKey, User
from documents.api_key import Scope
from service.auth.authentication import api_key_hash, key_id, new_api_key
from service.clock import now
from service.database.client import Database
from service.database.locks import serialized, user_lock
from service.errors import ConflictError, InvalidInputError, NotFoundError, invalid_input
from service.models.principals import require_existing

MAX_KEYS = 100
MIN_FOREIGN_LENGTH, MAX_FOREIGN_LENGTH = 20, 512
_DURATION = re.compile(r"^([1-9][0-9]{0,5})([smhdw])$", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def expiry(duration: str | None) -> datetime | None:
    """Return the time that lies a duration such as `90d` or `12h` ahead; raise InvalidInputError."""
    if duration is None:
        return None
    parts = _DURATION.match(duration)
    if parts is None:
        msg = "must be a number and a unit: s, m, h, d or w, such as 90d"
        raise InvalidInputError([{"loc": ["expires"], "msg": msg, "allowed": list(_UNITS)}])
    try:
        return now() + timedelta(**{_UNITS[parts[2]]: int(parts[1])})
    except OverflowError:
        raise InvalidInputError([{"loc": ["expires"], "msg": "is too far ahead"}]) from None


def _stored_form(key: str, user_id: str, name: str, scope: Scope, expires_at: datetime | None) -> ApiKey:
    try:
        return ApiKey(
            id=key_id(key),
            user_id=user_id,
            name=name,
            scope=scope,
            sha256=api_key_hash(key),
            created_at=now(),
            expires_at=expires_at,
            last_used_at=None,
        )
    except ValidationError as error:
        raise invalid_input(error) from None


async def _store(database: Database, key: ApiKey, taken: str) -> None:
    async def insert() -> None:
        # A key that outlived its user would be one of whoever gets their id next.
        await require_existing(database, User, key.user_id)
        if await database.count(ApiKey, {"user_id": key.user_id}) >= MAX_KEYS:
            raise ConflictError(f"A user can have {MAX_KEYS} keys; revoke one first.")
        if not await database.insert(key):
            raise ConflictError(taken)

    await serialized(database, insert, lock=user_lock(key.user_id))


async def create_key(
    database: Database, user_id: str, *, name: str, scope: Scope = Scope.WRITE, expires_at: datetime | None = None
) -> str:
    """Store a new key and return it, the only time that it can be seen; raise NotFoundError for a user who is gone."""
    key = new_api_key()
    await _store(database, _stored_form(key, user_id, name, scope, expires_at), "The new key's id is taken; try again.")
    return key


async def adopt_key(
    database: Database,
    user_id: str,
    key: str,
    *,
    name: str,
    scope: Scope = Scope.WRITE,
    expires_at: datetime | None = None,
) -> None:
    """Store the hash of a key that was made elsewhere, so that its clients go on with it.

    Raises InvalidInputError for a key too short to be a secret or that no header could carry,
    ConflictError for one that is stored already, and NotFoundError for a user who is gone.
    """
    require_foreign_key(key)
    await _store(database, _stored_form(key, user_id, name, scope, expires_at), "This key is stored already.")


def require_foreign_key(key: str) -> None:
    """Raise InvalidInputError for a key too short to be a secret or that no header could carry."""
    printable = key.isascii() and key.isprintable() and " " not in key
    if not printable or not MIN_FOREIGN_LENGTH <= len(key) <= MAX_FOREIGN_LENGTH:
        msg = f"must be {MIN_FOREIGN_LENGTH} to {MAX_FOREIGN_LENGTH} printable ASCII characters without spaces"
        raise InvalidInputError([{"loc": ["key"], "msg": msg}])


async def revoke_key(database: Database, user_id: str, identifier: str) -> None:
    """Delete one of a user's keys, so that it does not count any more; raise NotFoundError when it is not theirs."""
    if not await database.delete_many(ApiKey, {"_id": identifier, "user_id": user_id}):
        raise NotFoundError("There is no such key.")
