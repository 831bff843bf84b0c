"""The routes of a caller's own affairs: who they are, and their keys."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from documents import ApiKey, User
from documents.api_key import KeyName, Scope
from documents.identifier import Identifier
from documents.user import Role
from service.clock import epoch_seconds, now
from service.context import CallerDependency, ContextDependency, WriterDependency
from service.errors import COMMON_FAILURES, ConflictError, InvalidInputError, NotFoundError, documented_problems
from service.identity import key_id
from service.json_response import json_response
from service.people.keys import create_key, revoke_key
from service.people.users import find_user
from service.query_string import NoParams, query_dependency
from service.request_body import documented_body, read_body

MAX_EXPIRY = 253402300799  # the end of the year 9999

router = APIRouter(tags=["self"])


class SelfShape(BaseModel):
    """Who is asking."""

    id: str
    name: str
    email: str
    username: str | None
    role: Role
    scope: Scope = Field(description="Of the key that was sent.")
    group_ids: list[str] = Field(description="The groups of the caller and all ancestors of those.")


class KeyShape(BaseModel):
    """One key, without its secret."""

    id: str
    name: str
    scope: Scope
    created_at: int
    expires_at: int | None
    last_used_at: int | None = Field(description="Kept up to date once a minute.")


class NewKeyShape(KeyShape):
    """A key that was just made."""

    key: str = Field(description="The whole key: this is the only time that it is shown.")


class KeyForm(BaseModel):
    """A new key."""

    model_config = ConfigDict(extra="forbid")

    name: KeyName
    scope: Scope = Scope.WRITE
    expires_at: Annotated[int, Field(strict=True, ge=0, le=MAX_EXPIRY)] | None = Field(
        None, description="Seconds since 1970; never when left out."
    )


class RevokeForm(BaseModel):
    """The key to revoke."""

    model_config = ConfigDict(extra="forbid")

    id: Identifier


_REFUSALS = documented_problems(HTTPStatus.FORBIDDEN, *COMMON_FAILURES)


def _shown(key: ApiKey) -> dict[str, Any]:
    times = {"created_at": key.created_at, "expires_at": key.expires_at, "last_used_at": key.last_used_at}
    written = {name: epoch_seconds(moment) if moment else None for name, moment in times.items()}
    return {"id": key.id, "name": key.name, "scope": key.scope, **written}


_NoParameters = Annotated[NoParams, Depends(query_dependency(NoParams, lenient=False))]


@router.get("/me", responses={200: {"model": SelfShape}, **documented_problems(*COMMON_FAILURES)})
async def get_self(caller: CallerDependency, _: _NoParameters, context: ContextDependency) -> Response:
    """Return who is asking."""
    user = await find_user(context.database, caller.user_id)
    groups = sorted(name.partition(":")[2] for name in caller.principals if name.startswith("group:"))
    shown = user.model_dump(include={"id", "name", "email", "username", "role"})
    return json_response({**shown, "scope": caller.scope, "group_ids": groups})


@router.get("/keys", responses={200: {"model": list[KeyShape]}, **documented_problems(*COMMON_FAILURES)})
async def list_keys(caller: CallerDependency, _: _NoParameters, context: ContextDependency) -> Response:
    """Return the caller's keys, oldest first, without their secrets."""
    found = await context.database.find(ApiKey, {"user_id": caller.user_id}, sort=[("created_at", 1)])
    return json_response([_shown(ApiKey.model_validate(key)) for key in found])


@router.post(
    "/keys/create",
    responses={200: {"model": NewKeyShape}, **_REFUSALS},
    openapi_extra={"requestBody": documented_body(KeyForm)},
)
async def create_own_key(caller: WriterDependency, request: Request, context: ContextDependency) -> Response:
    """Make a key of the caller's. It can do at most what they can, and expires no later than the key that is sent."""
    form = await read_body(request, KeyForm, lenient=False)
    expires_at = datetime.fromtimestamp(form.expires_at, UTC) if form.expires_at is not None else None
    if expires_at is not None and expires_at <= now():
        raise InvalidInputError([{"loc": ["body", "expires_at"], "msg": "must lie ahead"}])
    latest = caller.key_expires_at
    if latest is not None and (expires_at is None or expires_at > latest):
        msg = f"must not be later than the expiry of the key that is sent, {epoch_seconds(latest)}"
        raise InvalidInputError([{"loc": ["body", "expires_at"], "msg": msg}])
    user = await context.database.get(User, {"_id": caller.user_id})
    if user is None:
        raise NotFoundError("You are not in the directory any more.")
    key = await create_key(context.database, user, name=form.name, scope=form.scope, expires_at=expires_at)
    stored = await context.database.get(ApiKey, {"_id": key_id(key)})
    if stored is None:
        raise ConflictError("The new key was revoked at once.")
    return json_response({**_shown(stored), "key": key})


@router.post(
    "/keys/revoke",
    responses={200: {"description": "`true`", "model": bool}, **_REFUSALS, **documented_problems(HTTPStatus.NOT_FOUND)},
    openapi_extra={"requestBody": documented_body(RevokeForm)},
)
async def revoke_own_key(caller: WriterDependency, request: Request, context: ContextDependency) -> Response:
    """Revoke a key of the caller's: it does not count from the next request on."""
    form = await read_body(request, RevokeForm, lenient=False)
    await revoke_key(context.database, caller.user_id, form.id)
    return json_response(content=True)
