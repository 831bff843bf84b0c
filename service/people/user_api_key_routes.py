"""The routes with which admins keep the keys of others: how a new user comes to their first one."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from documents import User
from documents.text import Identifier
from service.http.dependencies import AdminDependency, AdminWriterDependency, ContextDependency
from service.http.json_body import json_body
from service.http.query_params import QueryModel
from service.http.responses import json_response
from service.models.principals import require_existing
from service.people.api_key_schemas import LISTED_KEYS, NOT_KEPT, NewKeyShape, keys_of, make_key
from service.people.api_keys import revoke_key
from service.people.responses import ABSENT, CONFLICTING, DONE, REFUSED, REFUSED_BODY
from service.people.schemas import RevokeUserKeyForm, UserKeyForm

router = APIRouter(prefix="/users/keys", tags=["people"])


class UserKeysParams(QueryModel):
    """Whose keys."""

    user_id: Identifier = Field(description="The user's id.", examples=["u-ben"])


@router.get(
    "",
    responses={200: LISTED_KEYS, **REFUSED, **ABSENT},
)
async def list_user_keys(
    _: AdminDependency,
    params: Annotated[UserKeysParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return a user's keys, oldest first, without their secrets. For admins."""
    user = await require_existing(context.database, User, params.user_id)
    return json_response(await keys_of(context.database, user["_id"]))


@router.post(
    "/create",
    responses={200: {"model": NewKeyShape}, **REFUSED_BODY, **ABSENT, **CONFLICTING},
)
async def create_user_key(
    admin: AdminWriterDependency, form: Annotated[UserKeyForm, json_body(UserKeyForm)], context: ContextDependency
) -> Response:
    """Make a key of a user's. It can do at most what they can, and expires no later than the key that is sent.

    For admins.
    """
    key = await make_key(context.database, admin, form.user_id, form)
    return json_response(key, NOT_KEPT)


@router.post(
    "/revoke",
    responses={**DONE, **REFUSED_BODY, **ABSENT},
)
async def revoke_user_key(
    _: AdminWriterDependency,
    form: Annotated[RevokeUserKeyForm, json_body(RevokeUserKeyForm)],
    context: ContextDependency,
) -> Response:
    """Revoke a key of a user's: it does not count from the next request on. For admins."""
    await revoke_key(context.database, form.user_id, form.id)
    return json_response(content=True)
