"""The routes of a caller's own affairs: who they are, and their keys."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from documents.api_key import Scope
from documents.user import Role
from service.http.dependencies import CallerDependency, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.problems import COMMON_FAILURES, documented_problems
from service.http.responses import json_response
from service.people.api_key_schemas import LISTED_KEYS, NOT_KEPT, KeyForm, NewKeyShape, RevokeForm, keys_of, make_key
from service.people.api_keys import revoke_key
from service.people.responses import ABSENT, CONFLICTING, DONE, REFUSED_BODY
from service.people.shown import one_user

router = APIRouter(tags=["self"])


class SelfShape(BaseModel):
    """Who is asking."""

    id: str = Field(examples=["u-ben"])
    name: str = Field(examples=["Ben Okafor"])
    email: str = Field(examples=["ben.okafor@example.com"])
    username: str | None = Field(examples=["ben"])
    role: Role = Field(description="An `admin` sees and may change everything.", examples=["user"])
    scope: Scope = Field(description="Of the key that was sent.", examples=["write"])
    group_ids: list[str] = Field(
        description="The groups of the caller and all ancestors of those.", examples=[["g-engineering", "g-platform"]]
    )


@router.get("/me", responses={200: {"model": SelfShape}, **documented_problems(*COMMON_FAILURES)})
async def get_self(caller: CallerDependency, context: ContextDependency) -> Response:
    """Return who is asking."""
    user = await one_user(context.database, caller.user_id)
    groups = sorted(name.partition(":")[2] for name in caller.principals if name.startswith("group:"))
    shown = {field: user[field] for field in ("id", "name", "email", "username", "role")}
    return json_response({**shown, "scope": caller.scope, "group_ids": groups})


@router.get("/keys", responses={200: LISTED_KEYS, **documented_problems(*COMMON_FAILURES)})
async def list_keys(caller: CallerDependency, context: ContextDependency) -> Response:
    """Return the caller's keys, oldest first, without their secrets."""
    return json_response(await keys_of(context.database, caller.user_id))


@router.post(
    "/keys/create",
    responses={200: {"model": NewKeyShape}, **REFUSED_BODY, **ABSENT, **CONFLICTING},
)
async def create_own_key(
    caller: WriterDependency, form: Annotated[KeyForm, json_body(KeyForm)], context: ContextDependency
) -> Response:
    """Make a key of the caller's. It can do at most what they can, and expires no later than the key that is sent."""
    key = await make_key(context.database, caller, caller.user_id, form)
    return json_response(key, NOT_KEPT)


@router.post(
    "/keys/revoke",
    responses={**DONE, **REFUSED_BODY, **ABSENT},
)
async def revoke_own_key(
    caller: WriterDependency, form: Annotated[RevokeForm, json_body(RevokeForm)], context: ContextDependency
) -> Response:
    """Revoke a key of the caller's: it does not count from the next request on."""
    await revoke_key(context.database, caller.user_id, form.id)
    return json_response(content=True)
