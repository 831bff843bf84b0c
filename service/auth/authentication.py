"""Authentication: from an API key or, if configured, a JWT to a Caller, in at most one round trip to the database."""

import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hmac import compare_digest
from typing import Any, TypeVar

from beanie import Document
from cachetools import LRUCache

from documents import ApiKey, Group, User
from documents.api_key import Scope
from documents.derived_keys import OwnerFields
from documents.grant import PUBLIC, group_principal, user_principal
from documents.user import Role
from service.auth.jwt import Claims, JwtVerifier
from service.background import BatchedLookups
from service.clock import now
from service.database.change_streams import ClusterTime
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.work_context import on_its_own, within_deadline
from service.errors import UnauthorizedError

API_KEY_PREFIX = "mdk"
API_KEY_ID_BYTES = 8
SECRET_BYTES = 24  # 192 random bits
LAST_USED_PRECISION = timedelta(minutes=1)
_GENERATED_KEY = re.compile(rf"^{API_KEY_PREFIX}_([0-9a-f]{{{2 * API_KEY_ID_BYTES}}})_[0-9a-f]{{{2 * SECRET_BYTES}}}$")
_ABSENT_HASH = "0" * 64
# Of more callers, the least recent are forgotten.
MAX_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request. `principals` are all principals whose grants apply, including ancestor groups."""

    user_id: str
    is_admin: bool
    principals: frozenset[str]
    scope: Scope = Scope.WRITE
    api_key_id: str | None = None
    api_key_used_at: datetime | None = None
    api_key_expires_at: datetime | None = None
    # The groups that their memberships and their groups name, whether these exist or not.
    named_groups: frozenset[str] = field(default=frozenset(), compare=False)
    # For the derived keys of their models; not part of their rights, and never logged.
    owner_fields: OwnerFields | None = field(default=None, compare=False, repr=False)

    @property
    def group_ids(self) -> set[str]:
        """The ids of the groups whose grants apply, including ancestors."""
        beginning = group_principal("")
        return {name.removeprefix(beginning) for name in self.principals if name.startswith(beginning)}

    def has_same_rights(self, other: "Caller") -> bool:
        """Return whether everything is the same by which an answer is made; when the API key was used is not."""
        return self == replace(other, api_key_used_at=self.api_key_used_at)

    def has_rights_of(self, earlier: "Caller") -> bool:
        """Return whether they may still do all that they might do earlier."""
        return (
            self.user_id == earlier.user_id
            and self.is_admin >= earlier.is_admin
            and self.principals >= earlier.principals
            and self.scope in (earlier.scope, Scope.WRITE)
        )


# Returns when a caller still has the rights with which their work began; else raises UnauthorizedError or
# RightsChangedError.
RightsCheck = Callable[[], Awaitable[None]]
T = TypeVar("T")


async def without_check() -> None:
    """Stand in for a rights check where nobody's rights limit the work, as on the command line."""


async def while_entitled(batches: AsyncIterator[T], check: RightsCheck) -> AsyncIterator[T]:
    """Yield the batches, each only after a check that was made when it had been read; raises as the check does."""
    async for batch in batches:
        await check()
        yield batch


def new_api_key() -> str:
    """Return a new API key, made of a random public id and a random secret."""
    return f"{API_KEY_PREFIX}_{secrets.token_hex(API_KEY_ID_BYTES)}_{secrets.token_hex(SECRET_BYTES)}"


def api_key_hash(key: str) -> str:
    """Return the SHA-256 of a whole API key; it needs no salt or stretching, since API keys are random."""
    return hashlib.sha256(key.encode()).hexdigest()


def api_key_id(key: str) -> str:
    """Return the id of an API key: its public part or, for one made by another system, part of its hash."""
    generated = _GENERATED_KEY.match(key)
    return generated[1] if generated else f"x{api_key_hash(key)[: 2 * API_KEY_ID_BYTES]}"


_NEEDED = (
    *("user._id", "user.role", "user.is_active", "user.name", "user.email", "user.username", "user.leaving"),
    *("user.session_stamp", "user.group_ids", "groups._id", "groups.parent_id"),
    *("sha256", "scope", "expires_at", "last_used_at"),
)
_WITH_GROUPS: list[dict[str, Any]] = [
    {
        "$graphLookup": {
            "from": Group.Settings.name,
            # A value that is not a list, written past the service, is no membership.
            "startWith": {"$cond": [{"$isArray": "$user.group_ids"}, "$user.group_ids", []]},
            "connectFromField": "parent_id",
            "connectToField": "_id",
            "as": "groups",
        }
    },
    {"$project": dict.fromkeys(_NEEDED, 1)},
]


def api_key_pipeline(*identifiers: str) -> list[dict[str, Any]]:
    """Return the pipeline on `api_keys` that finds API keys, the user of each and all their groups."""
    return [
        {"$match": {"_id": {"$in": list(identifiers)}}},
        {"$lookup": {"from": User.Settings.name, "localField": "user_id", "foreignField": "_id", "as": "user"}},
        {"$unwind": "$user"},
        *_WITH_GROUPS,
    ]


def user_pipeline(*user_ids: str) -> list[dict[str, Any]]:
    """Return the pipeline on `users` that finds users, each with all their groups."""
    return [{"$match": {"_id": {"$in": list(user_ids)}}}, {"$project": {"user": "$$ROOT"}}, *_WITH_GROUPS]


class Authenticator:
    """Resolves credentials against the current state of the database.

    Credentials that are sent at the same time are looked up together, outside of transactions: those would show the
    rights as they were when they began. Whom a credential had is remembered as a guess, by which nobody gets anything.
    """

    def __init__(self, database: Database, jwt_verifier: JwtVerifier | None = None) -> None:
        self._database = database
        self._jwt_verifier = jwt_verifier
        self._api_keys = BatchedLookups(partial(self._found, ApiKey, api_key_pipeline))
        self._users = BatchedLookups(partial(self._found, User, user_pipeline))
        self._latest: LRUCache[bytes, Caller] = LRUCache(MAX_REMEMBERED)
        self._api_keys_at = BatchedLookups(partial(self._found_at, ApiKey, api_key_pipeline))
        self._users_at = BatchedLookups(partial(self._found_at, User, user_pipeline))

    async def _found(
        self, kind: type[Document], pipeline: Callable[..., list[dict[str, Any]]], ids: list[str], seconds: float
    ) -> dict[str, Record]:
        with on_its_own():
            found = await self._database.aggregate(kind, pipeline(*ids), seconds=seconds)
        return {record["_id"]: record for record in found}

    def expected(self, authorization: str | None) -> Caller | None:
        """Return whom this Authorization header had when it was last resolved: a guess, which may be wrong by now.

        None while others are being looked up. With several at a time, a lookup costs little, and guessing more.
        """
        if authorization is None or self._api_keys.busy or self._users.busy:
            return None
        return self._latest.get(_digest(authorization))

    async def _found_at(
        self, kind: type[Document], pipeline: Callable[..., list[dict[str, Any]]], ids: list[str], seconds: float
    ) -> dict[str, tuple[Record, ClusterTime]]:
        with on_its_own():
            found, moment = await self._database.aggregate_at_one_moment(
                kind, pipeline(*ids), most=len(ids), seconds=seconds
            )
        return {record["_id"]: (record, moment) for record in found}

    async def rights_of(self, caller: Caller) -> tuple[Caller, ClusterTime]:
        """Return a caller who has proved who they are with the rights that they have now, and since when at the latest.

        Raises UnauthorizedError when their API key is not valid any more, or they are inactive.
        """
        identifier = caller.api_key_id
        lookups, wanted = (self._users_at, caller.user_id) if identifier is None else (self._api_keys_at, identifier)
        found = await lookups.get(wanted, within_deadline(self._database.timeout))
        if found is None:
            raise UnauthorizedError
        record, moment = found
        if record["user"]["_id"] != caller.user_id or _has_expired(record.get("expires_at")):
            raise UnauthorizedError
        return _active_caller(record, key=None if identifier is None else record), moment

    async def resolve(self, authorization: str | None) -> Caller:
        """Return the caller with this Authorization header; raise UnauthorizedError when it is missing or invalid."""
        digest = _digest(authorization or "")
        try:
            self._latest[digest] = caller = await self._resolved(authorization)
        except UnauthorizedError:
            self._latest.pop(digest, None)
            raise
        return caller

    async def _resolved(self, authorization: str | None) -> Caller:
        scheme, _, credential = (authorization or "").partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential or not credential.isascii():
            raise UnauthorizedError
        claims = self._jwt_verifier.claims(credential) if self._jwt_verifier else None
        return await self._by_api_key(credential) if claims is None else await self._by_claims(claims)

    async def resolve_token(self, token: str) -> Caller:
        """Return the caller with this JWT; raise UnauthorizedError when it is invalid, and for an API key."""
        claims = self._jwt_verifier.claims(token) if self._jwt_verifier and token.isascii() else None
        if claims is None:
            raise UnauthorizedError
        return await self._by_claims(claims)

    async def _by_claims(self, claims: Claims) -> Caller:
        found = await self._users.get(claims.user_id, within_deadline(self._database.timeout))
        if found is None or not claims.fits(found["user"].get("session_stamp")):
            raise UnauthorizedError
        return _active_caller(found)

    async def _by_api_key(self, key: str) -> Caller:
        record = await self._api_keys.get(api_key_id(key), within_deadline(self._database.timeout)) or {}
        stored = record.get("sha256")
        # Compared for an absent API key too, so that the response time does not reveal whether it exists.
        matches = compare_digest(
            api_key_hash(key).encode(), (stored if isinstance(stored, str) else _ABSENT_HASH).encode()
        )
        if not matches or _has_expired(record.get("expires_at")):
            raise UnauthorizedError
        return _active_caller(record, key=record)

    async def resolve_api_key_id(self, identifier: str, user_id: str) -> Caller:
        """Return the caller with the API key of this id, if it is one of this user: for who has proved to have it.

        Raises UnauthorizedError as `resolve` does for the whole API key.
        """
        record = await self._api_keys.get(identifier, within_deadline(self._database.timeout)) or {}
        if record.get("user", {}).get("_id") != user_id or _has_expired(record.get("expires_at")):
            raise UnauthorizedError
        return _active_caller(record, key=record)

    def last_use_is_old(self, caller: Caller) -> bool:
        """Return whether the stored time of the last use of the caller's API key is at least a minute old."""
        if caller.api_key_id is None:
            return False
        return caller.api_key_used_at is None or caller.api_key_used_at <= datetime.now(UTC) - LAST_USED_PRECISION

    async def record_use(self, caller: Caller) -> None:
        """Store that the caller's API key was used, unless another request did so within the last minute."""
        moment = now()
        stale = [{"last_used_at": None}, {"last_used_at": {"$lte": moment - LAST_USED_PRECISION}}]
        query = {"_id": caller.api_key_id, "$or": stale}
        await self._database.update_one(ApiKey, query, {"$set": {"last_used_at": moment}}, any_shape=True)


def _digest(authorization: str) -> bytes:
    # The credential itself is not kept in memory.
    return hashlib.sha256(authorization.encode()).digest()


def _has_expired(expires_at: Any) -> bool:
    if expires_at is None:
        return False
    return not isinstance(expires_at, datetime) or expires_at <= datetime.now(UTC)


def _named_groups(found: Record) -> frozenset[str]:
    memberships = found["user"].get("group_ids")
    named = [*(memberships if isinstance(memberships, list) else ()), *(group["_id"] for group in found["groups"])]
    named += [group.get("parent_id") for group in found["groups"]]
    return frozenset(group for group in named if isinstance(group, str))


def _active_caller(found: Record | None, key: Mapping[str, Any] | None = None) -> Caller:
    # Fields that are missing or malformed, because they were written past the service, give no rights.
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
        api_key_id=key["_id"] if key else None,
        api_key_used_at=used_at if isinstance(used_at, datetime) else None,
        api_key_expires_at=key.get("expires_at") if key else None,
        named_groups=_named_groups(found),
        owner_fields=None if user.get("leaving") is True else OwnerFields.of(user),
    )
