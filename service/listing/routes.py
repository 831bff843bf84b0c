"""`GET /models/list`, a page of the list; `/models/base` and `/models/tags`, without pages."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from documents import ModelRecord
from documents.folding import fold
from service.auth.access_rule import Match
from service.http.dependencies import LIST_TIME, CallerDependency, ContextDependency
from service.http.problems import COMMON_FAILURES, Responses, documented_problems
from service.http.responses import JSON, json_array_response, json_page_response, json_response
from service.http.strict_model import QueryModel
from service.listing.page import items, render_page, tags
from service.listing.params import ListParams, Tag, blank_is_absent
from service.listing.pipeline import list_hint, list_match, list_pipeline
from service.listing.search_statistics import SearchStatisticsDependency
from service.models.schemas import Model, ModelPage

router = APIRouter(prefix="/models", tags=["models"])

_REFUSALS = documented_problems(*COMMON_FAILURES)
# The responses of a route that returns models without pages.
MODELS: Responses = {
    200: {"model": list[Model], "description": "An array of models, in order of id."},
    **_REFUSALS,
}
_TAGS: Responses = {
    200: {
        "description": "The names of the tags.",
        "content": {
            JSON: {"schema": {"type": "array", "items": {"type": "string"}, "examples": [["engineering", "sql"]]}}
        },
    },
    **_REFUSALS,
}


class BaseParams(QueryModel):
    """The parameters of `GET /api/models/base`."""

    tag: Annotated[Tag | None, BeforeValidator(blank_is_absent)] = Field(
        None, description="The whole name of a tag, in any case.", examples=["engineering"]
    )


@router.get("/list", dependencies=[LIST_TIME], responses={200: {"model": ModelPage}, **_REFUSALS})
async def list_models(
    caller: CallerDependency,
    params: Annotated[ListParams, Query()],
    context: ContextDependency,
    statistics: SearchStatisticsDependency,
) -> Response:
    """Search, filter, sort and page through the models that the caller may see."""
    narrowing = statistics.narrowing(fold(params.query)) if params.query else ()
    match = list_match(params, caller, narrowing)
    yielded = await context.database.aggregate(
        ModelRecord,
        list_pipeline(params, match),
        hint=list_hint(params, match),
        seconds=context.settings.list_timeout,
    )
    return await json_page_response(
        render_page(yielded, caller, readers_see_params=context.settings.readers_see_params)
    )


@router.get("/base", responses=MODELS)
async def list_base_models(
    caller: CallerDependency, params: Annotated[BaseParams, Query()], context: ContextDependency
) -> Response:
    """Return all base models that the caller may read; `GET /models/list?kind=base` pages through them."""
    match: Match = {"base_model_id": None}
    if params.tag is not None:
        match["keys.tags"] = fold(params.tag.strip())
    readers_see_params = context.settings.readers_see_params
    return await json_array_response(items(context.database, caller, match, readers_see_params=readers_see_params))


@router.get("/tags", responses=_TAGS)
async def list_tags(caller: CallerDependency, context: ContextDependency) -> Response:
    """Return the names of all tags of the models that the caller may read."""
    return json_response(await tags(context.database, caller))
