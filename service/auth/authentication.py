"""From a credential to a Caller: API keys and, where configured, JWTs; one round trip to the database."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Any

from documents import ApiKey, Group, User
from documents.api_key import Scope
from documents.derived_keys import OwnerFacts
from documents.grant import PUBLIC, group_principal, user_principal
from documents.user import Role
from service.auth.jwt import JwtVerifier
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import UnauthorizedError

KEY_PREFIX = "mdk"
KEY_ID_BYTES = 8
SECRET_BYTES = 24  # 192 random bits
LAST_USED_PRECISION = timedelta(minutes=1)
_OWN_KEY = re.compile(rf"^{KEY_PREFIX}_([0-9a-f]{{{2 * KEY_ID_BYTES}}})_[0-9a-f]{{{2 * SECRET_BYTES}}}$")
_ABSENT_HASH = "0" * 64


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking. `principals` are all that a grant to this caller can name, ancestor groups included."""

    user_id: str
    is_admin: bool
    principals: frozenset[str]
    scope: Scope = Scope.WRITE
    key_id: str | None = None
    key_used_at: datetime | None = None
    key_expires_at: datetime | None = None
    # For the keys of what they own; of no account for their rights, and for no log.
    as_owner: OwnerFacts | None = field(default=None, compare=False, repr=False)

    @property
    def rights(self) -> tuple[Any, ...]:
        """All that decides what they may do."""
        return (self.user_id, self.is_admin, self.principals, self.scope, self.key_expires_at)


def new_api_key() -> str:
    """Return a new API key: a public id and a secret, both random."""
    return f"{KEY_PREFIX}_{secrets.token_hex(KEY_ID_BYTES)}_{secrets.token_hex(SECRET_BYTES)}"


def api_key_hash(key: str) -> str:
    """Return the SHA-256 of a whole key. It needs no salt or stretching, since a key is random."""
    return hashlib.sha256(key.encode()).hexdigest()


def key_id(key: str) -> str:
    """Return the id under which a key is stored: its public part or, for a key made elsewhere, part of its hash."""
    own = _OWN_KEY.match(key)
    return own[1] if own else f"x{api_key_hash(key)[: 2 * KEY_ID_BYTES]}"


_WITH_GROUPS: list[dict[str, Any]] = [
    {
        "$graphLookup": {
            "from": Group.Settings.name,
            # Anything but a list, which others can have written, is no membership.
            "startWith": {"$cond": [{"$isArray": "$user.group_ids"}, "$user.group_ids", []]},
            "connectFromField": "parent_id",
            "connectToField": "_id",
            "as": "groups",
        }
    },
    {
        "$project": {
            "user._id": 1,
            "user.role": 1,
            "user.is_active": 1,
            "user.name": 1,
            "user.email": 1,
            "user.username": 1,
            "user.leaving": 1,
            "groups._id": 1,
            "sha256": 1,
            "scope": 1,
            "expires_at": 1,
            "last_used_at": 1,
        }
    },
]


def api_key_pipeline(identifier: str) -> list[dict[str, Any]]:
    """Return the pipeline on `api_keys` that finds a key, its user and all their groups."""
    return [
        {"$match": {"_id": identifier}},
        {"$lookup": {"from": User.Settings.name, "localField": "user_id", "foreignField": "_id", "as": "user"}},
        {"$unwind": "$user"},
        *_WITH_GROUPS,
    ]


def user_pipeline(user_id: str) -> list[dict[str, Any]]:
    """Return the pipeline on `users` that finds a user and all their groups."""
    return [{"$match": {"_id": user_id}}, {"$project": {"user": "$$ROOT"}}, *_WITH_GROUPS]


class Authenticator:
    """Resolves credentials against the database as it is at that moment; nothing is cached."""

    def __init__(self, database: Database, tokens: JwtVerifier | None = None) -> None:
        self._database = database
        self._tokens = tokens

    async def resolve(self, authorization: str | None) -> Caller:
        """Return who sends this Authorization header; raise UnauthorizedError for anything that does not count."""
        scheme, _, credential = (authorization or "").partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential or not credential.isascii():
            raise UnauthorizedError
        user_id = self._tokens.user_id(credential) if self._tokens else None
        if user_id is not None:
            return await self._by_user(user_id)
        return await self._by_key(credential)

    async def _by_user(self, user_id: str) -> Caller:
        found = await self._database.aggregate(User, user_pipeline(user_id))
        return _active_caller(found[0] if found else None)

    async def _by_key(self, key: str) -> Caller:
        found = await self._database.aggregate(ApiKey, api_key_pipeline(key_id(key)))
        record = found[0] if found else {}
        stored = record.get("sha256")
        # Compared for an absent key too: whether a secret is right must not show in the time.
        matches = compare_digest(
            api_key_hash(key).encode(), (stored if isinstance(stored, str) else _ABSENT_HASH).encode()
        )
        if not matches or _is_over(record.get("expires_at")):
            raise UnauthorizedError
        return _active_caller(record, key=record)

    def use_is_news(self, caller: Caller) -> bool:
        """Say whether the last use of the caller's key, as stored, is a minute old or older."""
        if caller.key_id is None:
            return False
        return caller.key_used_at is None or caller.key_used_at <= datetime.now(UTC) - LAST_USED_PRECISION

    async def note_use(self, caller: Caller) -> None:
        """Store that the caller's key was used, unless another request did so in the last minute."""
        moment = now()
        stale = [{"last_used_at": None}, {"last_used_at": {"$lte": moment - LAST_USED_PRECISION}}]
        query = {"_id": caller.key_id, "$or": stale}
        await self._database.update_one(ApiKey, query, {"$set": {"last_used_at": moment}}, any_shape=True)


def _is_over(expires_at: Any) -> bool:
    if expires_at is None:
        return False
    return not isinstance(expires_at, datetime) or expires_at <= datetime.now(UTC)


def _active_caller(found: Record | None, key: Mapping[str, Any] | None = None) -> Caller:
    # Others can write to these collections: what is missing or malformed gives no right.
    if found is None or found["user"].get("is_active") is not True:
        raise UnauthorizedError
    user = found["user"]
    groups = {group_principal(group["_id"]) for group in found["groups"]}
    used_at = key.get("last_used_at") if key else None
    return Caller(
        user_id=user["_id"],
        is_admin=user.get("role") == Role.ADMIN,
        principals=frozenset({PUBLIC, user_principal(user["_id"]), *groups}),
        scope=Scope.WRITE if key is None or key.get("scope") == Scope.WRITE else Scope.READ,
        key_id=key["_id"] if key else None,
        key_used_at=used_at if isinstance(used_at, datetime) else None,
        key_expires_at=key.get("expires_at") if key else None,
        as_owner=None if user.get("leaving") is True else OwnerFacts.of(user),
    )
