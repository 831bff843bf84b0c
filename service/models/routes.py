"""The routes of a model's life: read, create, update, toggle, share, delete."""

import re
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import Field

from documents import ModelRecord
from documents.revision import Change
from documents.text import Identifier
from service.auth import access_rule
from service.auth.authentication import Caller
from service.errors import InvalidInputError, NotFoundError
from service.http.dependencies import CallerDependency, Context, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.problems import BODY_FAILURES, COMMON_FAILURES, documented_header, documented_problems
from service.http.query_params import QueryModel
from service.http.responses import json_response
from service.models import operations
from service.models.grants import build_grants, replace_grants
from service.models.item import ITEM_STAGES, as_stored, render_item
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
            description="The `ETag` that must be current: the version, in quotes. `*` stands for any.",
            examples=['"3"'],
            json_schema_extra={"pattern": r'^(\*|(W/)?"?[1-9][0-9]{0,18}"?)$'},
        ),
    ] = None,
) -> int | None:
    """Return the version that a request insists on, or None when any will do."""
    if if_match is None or if_match.strip() == "*":
        return None
    etag = _ETAG.match(if_match.strip())
    if etag is None:
        msg = "must be the ETag of the model, its version in quotes"
        raise InvalidInputError([{"loc": ["header", "If-Match"], "msg": msg}])
    return int(etag[1])


VersionDependency = Annotated[int | None, Depends(expected_version)]

_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Model,
        "headers": documented_header("ETag", "The version, in quotes.", '"3"'),
    }
}
_READ = {**_ANSWER, **documented_problems(HTTPStatus.NOT_FOUND, *COMMON_FAILURES)}
_CREATED = {
    **_ANSWER,
    **documented_problems(*BODY_FAILURES),
}
# What a route that changes a model can answer.
CHANGED = {**_READ, **_CREATED, **documented_problems(HTTPStatus.PRECONDITION_FAILED)}


async def answer_with_model(context: Context, caller: Caller, model_id: str) -> Response:
    """Return one model as `caller` sees it; raise NotFoundError when they don't."""
    pipeline = [{"$match": {"_id": model_id, **access_rule.readable(caller)}}, *ITEM_STAGES]
    found = await context.database.aggregate(ModelRecord, pipeline)
    if not found:
        raise NotFoundError(operations.HIDDEN)
    item = render_item(found[0], caller, readers_see_params=context.settings.readers_see_params)
    # Others can have written anything in the place of a version.
    return json_response(item, {"ETag": f'"{item["version"]}"'} if isinstance(item["version"], int) else None)


router = APIRouter(prefix="/models", tags=["models"])


@router.get("/model", responses=_READ)
async def get_model(
    caller: CallerDependency, params: Annotated[ModelParams, Query()], context: ContextDependency
) -> Response:
    """Return one model. A model that is hidden from the caller is answered like one that does not exist."""
    return await answer_with_model(context, caller, params.id)


@router.post("/create", responses=_CREATED)
async def create_model(
    caller: WriterDependency, body: Annotated[CreateModel, json_body(CreateModel)], context: ContextDependency
) -> Response:
    """Create a model that the caller owns.

    A taken id is told, also of a model that is hidden from the caller or was deleted and belonged to somebody else.
    """
    grants = build_grants(body.id, body.access_grants)
    said = {**body.model_dump(exclude={"id", "access_grants"}), "access_grants": grants}
    await operations.create(context.database, caller, body.id, said)
    return await answer_with_model(context, caller, body.id)


@router.post("/model/update", responses=CHANGED)
async def update_model(
    caller: WriterDependency,
    version: VersionDependency,
    body: Annotated[UpdateModel, json_body(UpdateModel)],
    context: ContextDependency,
) -> Response:
    """Change what is given of a model; the rest stays. For the owner, write grantees and admins."""
    asked = operations.ChangeRequest(caller, body.id, Change.UPDATE, version)
    await operations.change(context.database, asked, lambda record: as_stored(body.said, record))
    return await answer_with_model(context, caller, body.id)


@router.post("/model/toggle", responses=CHANGED)
async def toggle_model(
    caller: WriterDependency,
    version: VersionDependency,
    params: Annotated[ModelParams, Query()],
    context: ContextDependency,
) -> Response:
    """Make an active model inactive, and the other way round. For the owner, write grantees and admins."""
    asked = operations.ChangeRequest(caller, params.id, Change.TOGGLE, version)
    await operations.change(context.database, asked, lambda record: {"is_active": not record["is_active"]})
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
    asked = operations.ChangeRequest(caller, body.id, Change.ACCESS, version, manages=True)
    await operations.change(context.database, asked, lambda record: {"access_grants": replace_grants(grants, record)})
    return await answer_with_model(context, caller, body.id)


@router.post(
    "/model/delete",
    responses={**CHANGED, 200: {"description": "`true`", "model": bool}},
)
async def delete_model(
    caller: WriterDependency,
    version: VersionDependency,
    body: Annotated[ModelId, json_body(ModelId)],
    context: ContextDependency,
) -> Response:
    """Delete a model; its history stays. For the owner, write grantees and admins.

    The id stays its owner's: nobody else but admins can use it again.
    """
    await operations.delete(context.database, operations.ChangeRequest(caller, body.id, Change.DELETE, version))
    return json_response(content=True)
