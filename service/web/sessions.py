"""Sessions of the page: begun with an API key or with a link, and good as long as that API key is."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from documents import Session
from documents.session import SessionKind
from service.auth.authentication import Authenticator, Caller
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import UnauthorizedError

ID_BYTES = 32
LIFETIME = timedelta(hours=12)
LINK_LIFETIME = timedelta(minutes=15)
# A session is prolonged when it was used, but stored again only so often.
PROLONGED_EVERY = timedelta(minutes=15)
# Of one user at a time, so that signing in again and again fills no disk; those end first that were not used longest.
MOST_SESSIONS = 100


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who has signed in; `secret` is the id of the session, which only their browser has."""

    secret: str = field(repr=False)
    caller: Caller
    expires_at: datetime

    @property
    def form_token(self) -> str:
        """What each form of this session carries, so that no other site can make the browser send one."""
        return form_token(self.secret)


def form_token(secret: str) -> str:
    """Return the token for the forms of a session."""
    return hmac.digest(secret.encode(), b"modeldeck form", "sha256").hex()


def session_hash(secret: str) -> str:
    """Return what is stored of the id of a session; it is random, so it needs no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def begin_session(database: Database, caller: Caller) -> str:
    """Store a new session of a caller with an API key, and return its id for the cookie.

    Raises UnauthorizedError for a caller without an API key.
    """
    return await _begin(database, SessionKind.COOKIE, caller.user_id, caller.api_key_id, LIFETIME)


async def new_link(database: Database, caller: Caller) -> str:
    """Store a link that signs a caller in once, within a quarter of an hour, and return its id; raises as above."""
    return await _begin(database, SessionKind.LINK, caller.user_id, caller.api_key_id, LINK_LIFETIME)


async def _begin(
    database: Database, kind: SessionKind, user_id: str, api_key_id: str | None, lifetime: timedelta
) -> str:
    if api_key_id is None:
        raise UnauthorizedError
    secret, moment = secrets.token_urlsafe(ID_BYTES), now()
    session = Session(
        id=session_hash(secret),
        kind=kind,
        user_id=user_id,
        api_key_id=api_key_id,
        created_at=moment,
        expires_at=moment + lifetime,
    )
    await database.insert(session)
    await _end_oldest(database, user_id)
    return secret


async def _end_oldest(database: Database, user_id: str) -> None:
    newest_first = [("expires_at", -1)]
    too_many = await database.find(Session, {"user_id": user_id}, fields=["_id"], sort=newest_first, skip=MOST_SESSIONS)
    if too_many:
        await database.delete_many(Session, {"_id": {"$in": [one["_id"] for one in too_many]}})


async def resolve_session(database: Database, authenticator: Authenticator, secret: str) -> SignedIn:
    """Return who has signed in with this cookie, with the rights that they have now.

    Raises UnauthorizedError when the session or its API key is not valid, or no longer.
    """
    found = await _valid(database, SessionKind.COOKIE, secret)
    return SignedIn(secret, await _caller(authenticator, found), found["expires_at"])


async def use_link(database: Database, authenticator: Authenticator, secret: str) -> str:
    """Begin a session by a link, which is then used up, and return its id.

    Raises UnauthorizedError when it is not valid.
    """
    found = await _valid(database, SessionKind.LINK, secret)
    # Of several who use it at the same time, one deletes it.
    if not await database.delete_many(Session, {"_id": found["_id"]}):
        raise UnauthorizedError
    return await begin_session(database, await _caller(authenticator, found))


async def end_session(database: Database, secret: str) -> None:
    """Delete a session, if it exists."""
    await database.delete_many(Session, {"_id": session_hash(secret)})


def may_be_prolonged(signed_in: SignedIn) -> bool:
    """Return whether the session would end noticeably earlier than one that begins now."""
    return signed_in.expires_at < now() + LIFETIME - PROLONGED_EVERY


async def prolong(database: Database, signed_in: SignedIn) -> None:
    """Have a session end as late as one that begins now."""
    change = {"$set": {"expires_at": now() + LIFETIME}}
    await database.update_one(Session, {"_id": session_hash(signed_in.secret)}, change)


async def _valid(database: Database, kind: SessionKind, secret: str) -> Record:
    query: dict[str, Any] = {"_id": session_hash(secret), "kind": kind.value, "expires_at": {"$gt": now()}}
    found = await database.find(Session, query)
    if not found:
        raise UnauthorizedError
    return found[0]


async def _caller(authenticator: Authenticator, session: Record) -> Caller:
    api_key_id, user_id = session.get("api_key_id"), session.get("user_id")
    # What was written past the service gives no rights.
    if not isinstance(api_key_id, str) or not isinstance(user_id, str):
        raise UnauthorizedError
    return await authenticator.resolve_api_key_id(api_key_id, user_id)
