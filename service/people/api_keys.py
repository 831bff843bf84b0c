"""API keys: creating, adopting one that another system made, and revoking."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from documents import ApiKey, User
from documents.api_key import Scope
from service.auth.authentication import Caller, api_key_hash, api_key_id, new_api_key
from service.clock import epoch_seconds, now
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.locks import serialized, user_lock
from service.errors import ConflictError, InvalidInputError, NotFoundError, invalid_input
from service.models.principals import require_existing
from service.people.schemas import CreateApiKey

MAX_API_KEYS = 100
MIN_FOREIGN_LENGTH, MAX_FOREIGN_LENGTH = 20, 512
_DURATION = re.compile(r"^([1-9][0-9]{0,5})([smhdw])$", re.ASCII)
# For a response that holds a secret.
NOT_KEPT = {"Cache-Control": "no-store"}
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def expiry(duration: str | None) -> datetime | None:
    """Return the time after a duration such as `90d` or `12h` from now; raise InvalidInputError if it is invalid."""
    if duration is None:
        return None
    parts = _DURATION.match(duration)
    if parts is None:
        msg = "must be a number and a unit: s, m, h, d or w, such as 90d"
        raise InvalidInputError([{"loc": ["expires"], "msg": msg, "allowed": list(_UNITS)}])
    try:
        return now() + timedelta(**{_UNITS[parts[2]]: int(parts[1])})
    except OverflowError:
        raise InvalidInputError([{"loc": ["expires"], "msg": "is too far in the future"}]) from None


async def _store(
    database: Database, key: str, user_id: str, *, name: str, scope: Scope, expires_at: datetime | None, taken: str
) -> None:
    try:
        stored = ApiKey(
            id=api_key_id(key),
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

    async def insert() -> None:
        # An API key that outlived its user would belong to the next user with the same id.
        await require_existing(database, User, stored.user_id)
        if await database.count(ApiKey, {"user_id": stored.user_id}) >= MAX_API_KEYS:
            raise ConflictError(f"A user can have {MAX_API_KEYS} API keys; revoke one first.")
        if not await database.insert(stored):
            raise ConflictError(taken)

    await serialized(database, insert, lock=user_lock(stored.user_id))


async def create_api_key(
    database: Database, user_id: str, *, name: str, scope: Scope = Scope.WRITE, expires_at: datetime | None = None
) -> str:
    """Store a new API key and return it, which is not possible later; raise NotFoundError for an absent user."""
    key = new_api_key()
    taken = "The id of the new API key is taken; try again."
    await _store(database, key, user_id, name=name, scope=scope, expires_at=expires_at, taken=taken)
    return key


async def adopt_api_key(
    database: Database,
    user_id: str,
    key: str,
    *,
    name: str,
    scope: Scope = Scope.WRITE,
    expires_at: datetime | None = None,
) -> None:
    """Store the hash of an API key that another system made, so that its clients can continue to use it.

    Raises InvalidInputError for an API key that is too short or can't be sent in a header, ConflictError for one that
    is stored already, and NotFoundError for an absent user.
    """
    require_foreign_api_key(key)
    taken = "This API key is stored already."
    await _store(database, key, user_id, name=name, scope=scope, expires_at=expires_at, taken=taken)


def require_foreign_api_key(key: str) -> None:
    """Raise InvalidInputError for an API key that is too short or can't be sent in a header."""
    printable = key.isascii() and key.isprintable() and " " not in key
    if not printable or not MIN_FOREIGN_LENGTH <= len(key) <= MAX_FOREIGN_LENGTH:
        msg = f"must be {MIN_FOREIGN_LENGTH} to {MAX_FOREIGN_LENGTH} printable ASCII characters without spaces"
        raise InvalidInputError([{"loc": ["key"], "msg": msg}])


async def revoke_api_key(database: Database, user_id: str, identifier: str) -> None:
    """Delete an API key of a user, which makes it invalid; raise NotFoundError when the user has no such API key."""
    if not await database.delete_many(ApiKey, {"_id": identifier, "user_id": user_id}):
        raise NotFoundError("There is no such API key.")


def _rendered(key: Record) -> dict[str, Any]:
    # A key that was written past the service can lack fields; it is shown too, so that it can be revoked.
    times = {name: key.get(name) for name in ("created_at", "expires_at", "last_used_at")}
    written = {name: epoch_seconds(moment) if moment else None for name, moment in times.items()}
    return {"id": key["_id"], "name": key.get("name"), "scope": key.get("scope"), **written}


async def api_keys_of(database: Database, user_id: str) -> list[dict[str, Any]]:
    """Return the API keys of a user for the API, oldest first; raise NotFoundError when there is no such user."""
    await require_existing(database, User, user_id)
    found = await database.find(ApiKey, {"user_id": user_id}, sort=[("created_at", 1)])
    return [_rendered(key) for key in found]


async def create_api_key_for(database: Database, caller: Caller, user_id: str, body: CreateApiKey) -> dict[str, Any]:
    """Create an API key of a user at the caller's request; return it for the API, with its secret.

    Raises InvalidInputError when it would expire later than the caller's own API key.
    """
    expires_at = datetime.fromtimestamp(body.expires_at, UTC) if body.expires_at is not None else None
    if expires_at is not None and expires_at <= now():
        raise InvalidInputError([{"loc": ["body", "expires_at"], "msg": "must lie ahead"}])
    latest = caller.api_key_expires_at
    if latest is not None and (expires_at is None or expires_at > latest):
        msg = f"must not be later than the expiry of the key that is sent, {epoch_seconds(latest)}"
        raise InvalidInputError([{"loc": ["body", "expires_at"], "msg": msg}])
    key = await create_api_key(database, user_id, name=body.name, scope=body.scope, expires_at=expires_at)
    stored = await database.find(ApiKey, {"_id": api_key_id(key)})
    if not stored:
        raise ConflictError("The new key was revoked at once.")
    return {**_rendered(stored[0]), "key": key}
