"""The routes about the caller: who they are, and their API keys."""

from typing import Annotated

from fastapi import APIRouter, Response

from service.http.dependencies import CallerDependency, ContextDependency, WriterDependency
from service.http.direct_route import DirectRoute
from service.http.json_body import json_body
from service.http.problems import COMMON_FAILURES, documented_problems
from service.http.responses import json_response
from service.people import api_keys, schemas, users

router = APIRouter(tags=["self"], route_class=DirectRoute)


@router.get("/me", responses={200: {"model": schemas.Me}, **documented_problems(*COMMON_FAILURES)})
async def get_self(caller: CallerDependency, context: ContextDependency) -> Response:
    """Return the caller."""
    return json_response(await users.describe_caller(context.database, caller))


@router.get("/keys", responses={200: schemas.LISTED_KEYS, **documented_problems(*COMMON_FAILURES)})
async def list_keys(caller: CallerDependency, context: ContextDependency) -> Response:
    """Return the API keys of the caller, oldest first, without their secrets."""
    return json_response(await api_keys.api_keys_of(context.database, caller.user_id))


@router.post("/keys/create", responses=schemas.CREATED_KEY)
async def create_own_key(
    caller: WriterDependency,
    body: Annotated[schemas.CreateApiKey, json_body(schemas.CreateApiKey)],
    context: ContextDependency,
) -> Response:
    """Create an API key for the caller.

    It gives at most the rights of the caller, and expires no later than the API key that is sent.
    """
    key = await api_keys.create_api_key_for(context.database, caller, caller.user_id, body)
    return json_response(key, api_keys.NOT_KEPT)


@router.post("/keys/revoke", responses=schemas.DELETED)
async def revoke_own_key(
    caller: WriterDependency,
    body: Annotated[schemas.RevokeApiKey, json_body(schemas.RevokeApiKey)],
    context: ContextDependency,
) -> Response:
    """Revoke an API key of the caller; it is invalid from the next request on."""
    await api_keys.revoke_api_key(context.database, caller.user_id, body.id)
    return json_response(content=True)
