"""What the routes of keys take, do and answer: the same for one's own keys and for those of others."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from documents import ApiKey
from documents.api_key import KeyName, Scope
from documents.text import Identifier
from service.auth.authentication import Caller, key_id
from service.clock import epoch_seconds, now
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ConflictError, InvalidInputError
from service.http.form import Form
from service.people.api_keys import create_key

# The answer holds a secret.
NOT_KEPT = {"Cache-Control": "no-store"}
MAX_EXPIRY = 253402300799  # the end of the year 9999


class KeyShape(BaseModel):
    """One key, without its secret."""

    id: str = Field(examples=["6f1d2c3b4a596877"])
    name: str = Field(examples=["nightly script"])
    scope: Scope = Field(description="`write` includes `read`.", examples=["write"])
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    expires_at: int | None = Field(description="Seconds since 1970, UTC; null for never.", examples=[4102444800])
    last_used_at: int | None = Field(description="Kept up to date once a minute.", examples=[1778845140])


class NewKeyShape(KeyShape):
    """A key that was just made."""

    key: str = Field(
        description="The whole key: this is the only time that it is shown.",
        examples=["mdk_6f1d2c3b4a596877_0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978"],
    )


class KeyForm(Form):
    """A new key."""

    name: KeyName = Field(examples=["nightly script"])
    scope: Scope = Field(Scope.WRITE, description="`write` includes `read`.")
    expires_at: Annotated[int, Field(strict=True, ge=0, le=MAX_EXPIRY)] | None = Field(
        None, description="Seconds since 1970; never when left out.", examples=[4102444800]
    )


class RevokeForm(Form):
    """The key to revoke."""

    id: Identifier = Field(description="The key's id.", examples=["6f1d2c3b4a596877"])


# The answer of a route that lists keys.
LISTED_KEYS: dict[str, Any] = {"model": list[KeyShape], "description": "All keys, oldest first."}


def _shown(key: Record) -> dict[str, Any]:
    # Others can write to the collection: a key that lacks something is shown too, so that it can be revoked.
    times = {name: key.get(name) for name in ("created_at", "expires_at", "last_used_at")}
    written = {name: epoch_seconds(moment) if moment else None for name, moment in times.items()}
    return {"id": key["_id"], "name": key.get("name"), "scope": key.get("scope"), **written}


async def keys_of(database: Database, user_id: str) -> list[dict[str, Any]]:
    """Return a user's keys as the API shows them, oldest first."""
    found = await database.find(ApiKey, {"user_id": user_id}, sort=[("created_at", 1)])
    return [_shown(key) for key in found]


async def make_key(database: Database, caller: Caller, user_id: str, form: KeyForm) -> dict[str, Any]:
    """Make a key of a user's that the caller asks for; return it as the API shows it, once, with its secret.

    Raises InvalidInputError for one that would outlive the key with which it is asked for.
    """
    expires_at = datetime.fromtimestamp(form.expires_at, UTC) if form.expires_at is not None else None
    if expires_at is not None and expires_at <= now():
        raise InvalidInputError([{"loc": ["body", "expires_at"], "msg": "must lie ahead"}])
    latest = caller.key_expires_at
    if latest is not None and (expires_at is None or expires_at > latest):
        msg = f"must not be later than the expiry of the key that is sent, {epoch_seconds(latest)}"
        raise InvalidInputError([{"loc": ["body", "expires_at"], "msg": msg}])
    key = await create_key(database, user_id, name=form.name, scope=form.scope, expires_at=expires_at)
    stored = await database.find(ApiKey, {"_id": key_id(key)})
    if not stored:
        raise ConflictError("The new key was revoked at once.")
    return {**_shown(stored[0]), "key": key}
