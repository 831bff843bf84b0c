"""The routes of single models: read, create, update, toggle, share, delete."""

import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import Field

from documents.revision import ChangeKind
from documents.text import Identifier
from service.auth.authentication import Caller
from service.errors import InvalidInputError
from service.http.dependencies import CallerDependency, Context, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.problems import (
    BODY_FAILURES,
    COMMON_FAILURES,
    DONE,
    Responses,
    documented_header,
    documented_problems,
)
from service.http.responses import json_response
from service.http.strict_model import QueryModel
from service.models import operations
from service.models.grants import build_grants, replace_grants
from service.models.item import as_stored
from service.models.schemas import CreateModel, Model, ModelId, UpdateAccess, UpdateModel

_ETAG = re.compile(r'^(?:W/)?"?([1-9][0-9]{0,18})"?$', re.ASCII)


class ModelParams(QueryModel):
    """The parameters of a request for one model."""

    id: Identifier = Field(description="The model's id; it may contain `/` and `:`.", examples=["sql-tuning"])


async def expected_version(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="The `ETag` that must be current: the version, in quotes. `*` matches any version.",
            examples=['"3"'],
            json_schema_extra={"pattern": r'^(\*|(W/)?"?[1-9][0-9]{0,18}"?)$'},
        ),
    ] = None,
) -> int | None:
    """Return the version that `If-Match` requires, or None for any."""
    if if_match is None or if_match.strip() == "*":
        return None
    etag = _ETAG.match(if_match.strip())
    if etag is None:
        msg = "must be the ETag of the model, its version in quotes"
        raise InvalidInputError([{"loc": ["header", "If-Match"], "msg": msg}])
    return int(etag[1])


VersionDependency = Annotated[int | None, Depends(expected_version)]

_ANSWER: Responses = {200: {"model": Model, "headers": documented_header("ETag", "The version, in quotes.", '"3"')}}
_READ = {**_ANSWER, **documented_problems(HTTPStatus.NOT_FOUND, *COMMON_FAILURES)}
_CREATED = {**_ANSWER, **documented_problems(*BODY_FAILURES)}
# The responses of a route that changes a model.
CHANGED = {**_READ, **_CREATED, **documented_problems(HTTPStatus.PRECONDITION_FAILED)}


async def answer_with_model(context: Context, caller: Caller, model_id: str) -> Response:
    """Return a response with one model as `caller` sees it; raise NotFoundError when it is absent or hidden."""
    readers_see_params = context.settings.readers_see_params
    item = await operations.read(context.database, caller, model_id, readers_see_params=readers_see_params)
    # A record that was written past the service can have a version of any type.
    return json_response(item, {"ETag": f'"{item["version"]}"'} if isinstance(item["version"], int) else None)


router = APIRouter(prefix="/models", tags=["models"])


@router.get("/model", responses=_READ)
async def get_model(
    caller: CallerDependency, params: Annotated[ModelParams, Query()], context: ContextDependency
) -> Response:
    """Return one model. 404 for a model that does not exist or is hidden from the caller."""
    return await answer_with_model(context, caller, params.id)


@router.post("/create", responses=_CREATED)
async def create_model(
    caller: WriterDependency, body: Annotated[CreateModel, json_body(CreateModel)], context: ContextDependency
) -> Response:
    """Create a model that the caller owns.

    409 for an id that is taken, also by a model that is hidden from the caller or by a deleted model of another owner.
    """
    grants = build_grants(body.id, body.access_grants)
    content = {**body.model_dump(exclude={"id", "access_grants"}), "access_grants": grants}
    await operations.create(context.database, caller, body.id, content)
    return await answer_with_model(context, caller, body.id)


@router.post("/model/update", responses=CHANGED)
async def update_model(
    caller: WriterDependency,
    version: VersionDependency,
    body: Annotated[UpdateModel, json_body(UpdateModel)],
    context: ContextDependency,
) -> Response:
    """Change the given fields of a model; the others stay. For the owner, write grantees and admins."""
    request = operations.ChangeRequest(caller, body.id, ChangeKind.UPDATE, version)
    await operations.change(context.database, request, lambda record: as_stored(body.content, record))
    return await answer_with_model(context, caller, body.id)


@router.post("/model/toggle", responses=CHANGED)
async def toggle_model(
    caller: WriterDependency,
    version: VersionDependency,
    params: Annotated[ModelParams, Query()],
    context: ContextDependency,
) -> Response:
    """Make an active model inactive, and the other way round. For the owner, write grantees and admins."""
    request = operations.ChangeRequest(caller, params.id, ChangeKind.TOGGLE, version)
    await operations.change(context.database, request, lambda record: {"is_active": not record["is_active"]})
    return await answer_with_model(context, caller, params.id)


@router.post("/model/access/update", responses=CHANGED)
async def update_access(
    caller: WriterDependency,
    version: VersionDependency,
    body: Annotated[UpdateAccess, json_body(UpdateAccess)],
    context: ContextDependency,
) -> Response:
    """Replace all grants of a model. For the owner and admins."""
    grants = build_grants(body.id, body.access_grants)
    request = operations.ChangeRequest(caller, body.id, ChangeKind.ACCESS, version, manages=True)
    await operations.change(context.database, request, lambda record: {"access_grants": replace_grants(grants, record)})
    return await answer_with_model(context, caller, body.id)


@router.post("/model/delete", responses={**CHANGED, **DONE})
async def delete_model(
    caller: WriterDependency,
    version: VersionDependency,
    body: Annotated[ModelId, json_body(ModelId)],
    context: ContextDependency,
) -> Response:
    """Delete a model; its history stays. For the owner, write grantees and admins.

    Only the owner and admins can use the id again.
    """
    await operations.delete(context.database, operations.ChangeRequest(caller, body.id, ChangeKind.DELETE, version))
    return json_response(content=True)
