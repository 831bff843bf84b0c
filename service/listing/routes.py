"""`GET /models/list`, a page of the list; `/models/base` and `/models/tags`, without pages."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from documents.folding import fold
from service.auth.access_rule import Match
from service.auth.authentication import Caller, while_entitled
from service.http.dependencies import (
    PAGE_PLACE,
    CallerDependency,
    Context,
    ContextDependency,
    RightsCheckDependency,
)
from service.http.direct_route import DirectRoute
from service.http.problems import COMMON_FAILURES, Responses, documented_header, documented_problems
from service.http.responses import (
    EXAMPLE_WEAK_TAG,
    JSON,
    KnownETags,
    json_array_response,
    json_response,
)
from service.http.strict_model import QueryModel
from service.listing.page import items, tags
from service.listing.page_answer import Items, PageAnswerDependency
from service.listing.params import ListParams, Tag
from service.models.schemas import Model, ModelPage

router = APIRouter(prefix="/models", tags=["models"], route_class=DirectRoute)

_REFUSALS = documented_problems(*COMMON_FAILURES)
# The responses of a route that returns models without pages.
MODELS: Responses = {
    200: {"model": list[Model], "description": "An array of models, in order of id."},
    **_REFUSALS,
}
_ETAG = {
    **documented_header("ETag", "A hash of the page; weak.", EXAMPLE_WEAK_TAG),
    **documented_header(
        "Link", "The next page, if there is one (RFC 8288).", '</api/models/list?tag=sql&cursor=WzEsWyJj>; rel="next"'
    ),
}
_PAGE: Responses = {
    200: {"model": ModelPage, "headers": _ETAG},
    304: {"description": "The client has this page already.", "headers": _ETAG},
    **_REFUSALS,
}
_TAGS: Responses = {
    200: {
        "description": "The names of the tags, each in the spelling that most of the models have.",
        "content": {
            JSON: {"schema": {"type": "array", "items": {"type": "string"}, "examples": [["engineering", "sql"]]}}
        },
    },
    **_REFUSALS,
}


class BaseParams(QueryModel):
    """The parameters of `GET /api/models/base`."""

    tag: Tag = Field(None, description="The whole name of a tag, in any case.", examples=["engineering"])


@router.get("/list", responses=_PAGE)
async def list_models(
    answer: PageAnswerDependency, params: Annotated[ListParams, Query()], known: KnownETags = None
) -> Response:
    """Search, filter, sort and page through the models that the caller may see.

    A page of more than a megabyte of large models is sent in parts and has no entity tag.
    """
    return await answer(params, known)


@router.get("/base", dependencies=[PAGE_PLACE], responses=MODELS)
async def list_base_models(
    caller: CallerDependency,
    params: Annotated[BaseParams, Query()],
    context: ContextDependency,
    check: RightsCheckDependency,
) -> Response:
    """Return all base models that the caller may read; `GET /models/list?kind=base` pages through them."""
    return await json_array_response(while_entitled(base_models(context, caller, params), check))


def base_models(context: Context, caller: Caller, params: BaseParams) -> Items:
    """Yield all base models that the caller may read, as the API shows them."""
    match: Match = {"base_model_id": None}
    if params.tag is not None:
        match["keys.tags"] = fold(params.tag)
    return items(context.database, caller, match, readers_see_params=context.settings.readers_see_params)


@router.get("/tags", responses=_TAGS)
async def list_tags(caller: CallerDependency, context: ContextDependency) -> Response:
    """Return the names of all tags of the models that the caller may read.

    Names that differ only in case, or in how Unicode writes the same characters, are one tag.
    """
    return json_response(await tags(context.database, caller))
