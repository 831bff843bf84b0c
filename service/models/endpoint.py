"""`GET /models/model`: one record."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from documents import ModelRecord
from documents.identifier import Identifier
from service import access
from service.context import CallerDependency, ContextDependency
from service.errors import COMMON_FAILURES, NotFoundError, documented_problems
from service.json_response import json_response
from service.models.item import ITEM_STAGES, ItemShape, render_item
from service.query_string import documented, query_dependency


class ModelParams(BaseModel):
    """The parameters of a request for one model."""

    model_config = ConfigDict(frozen=True)

    id: Identifier = Field(description="The model's id; it may contain `/` and `:`.")


def models_router(*, lenient: bool) -> APIRouter:
    """Return the routes of single models, for the strict front door or for the compatibility door."""
    router = APIRouter(prefix="/models", tags=["models"])
    documentation: dict[str, Any] = {"parameters": documented(ModelParams)}
    etag = {"ETag": {"description": "The version, in quotes.", "schema": {"type": "string", "example": '"3"'}}}
    responses = {
        200: {"model": ItemShape, "headers": etag},
        **documented_problems(HTTPStatus.NOT_FOUND, *COMMON_FAILURES),
    }

    @router.get("/model", responses=responses, openapi_extra=documentation)
    async def get_model(
        caller: CallerDependency,
        params: Annotated[ModelParams, Depends(query_dependency(ModelParams, lenient=lenient))],
        context: ContextDependency,
    ) -> Response:
        """Return one model. A model that is hidden from the caller is answered like one that does not exist."""
        pipeline = [{"$match": {"_id": params.id, **access.readable(caller)}}, *ITEM_STAGES]
        found = await context.database.aggregate(ModelRecord, pipeline)
        if not found:
            raise NotFoundError("There is no such model, or it is not shared with you.")
        item = render_item(found[0], caller, readers_see_params=context.settings.readers_see_params)
        return json_response(item, {"ETag": f'"{item["version"]}"'})

    return router
