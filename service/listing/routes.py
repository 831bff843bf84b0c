"""`GET /models/list`, a page of the list; `/models/base` and `/models/tags`, without pages."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from documents.folding import fold
from service.auth.access_rule import Match
from service.auth.authentication import Caller, while_entitled
from service.database.concurrently import together
from service.http.dependencies import (
    PAGE_PLACE,
    CallerDependency,
    Context,
    ContextDependency,
    RightsCheckDependency,
    TakePlace,
    context_of,
    get_list_caller,
    get_rights_check,
    place_when_large,
)
from service.http.direct_route import DirectRoute
from service.http.links import next_page_link
from service.http.problems import COMMON_FAILURES, Responses, documented_header, documented_problems
from service.http.responses import (
    EXAMPLE_WEAK_TAG,
    JSON,
    KnownETags,
    json_array_response,
    json_page,
    json_page_response,
    json_response,
    tagged_json_response,
)
from service.http.strict_model import QueryModel
from service.listing.facets import facets
from service.listing.page import items, page_items, tags
from service.listing.page_reading import read_page
from service.listing.params import ListParams, Tag
from service.listing.resolving import resolver
from service.models.schemas import Model, ModelPage

router = APIRouter(prefix="/models", tags=["models"], route_class=DirectRoute)

# Items as the API shows them, in batches.
Items = AsyncIterator[Sequence[Mapping[str, Any]]]

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


class PageAnswer(Protocol):
    """Answers a request of a caller with a page of the list."""

    async def __call__(
        self,
        params: ListParams,
        known: Sequence[str] | None,
        completed: Callable[[Items], Items] = lambda items: items,
    ) -> Response:
        """Return the response; `completed` gets the items of the page, and returns what is shown of them."""


async def get_page_answer(request: Request) -> AsyncIterator[PageAnswer]:
    """Yield what answers a request with a page of the list; raises as `get_list_caller` does."""
    caller = await get_list_caller(request)
    async with place_when_large(request) as take_place:
        yield partial(_answer_with_page, request, caller, take_place=take_place)


PageAnswerDependency = Annotated[PageAnswer, Depends(get_page_answer)]


@router.get("/list", responses=_PAGE)
async def list_models(
    answer: PageAnswerDependency, params: Annotated[ListParams, Query()], known: KnownETags = None
) -> Response:
    """Search, filter, sort and page through the models that the caller may see.

    A page of more than a megabyte of large models is sent in parts and has no entity tag.
    """
    return await answer(params, known)


async def _answer_with_page(
    request: Request,
    caller: Caller,
    params: ListParams,
    known: Sequence[str] | None,
    completed: Callable[[Items], Items] = lambda items: items,
    *,
    take_place: TakePlace,
) -> Response:
    context = context_of(request)
    resolved = await resolver(request)(params)
    seconds = context.settings.list_timeout
    async with together() as group:
        counting = None
        if params.facets is not None:
            counting = group.create_task(facets(context.database, caller, params, resolved, seconds))
        page = await read_page(context.database, caller, params, resolved, seconds=seconds)
    readers_see_params = context.settings.readers_see_params
    shown = completed(
        page_items(context.database, caller, page, readers_see_params=readers_see_params, shown=params.shown)
    )
    others: dict[str, Any] = {"total": page.total, "next_cursor": page.next_cursor}
    if counting is not None:
        others["facets"] = counting.result()
    headers = next_page_link(request, page.next_cursor) if page.next_cursor is not None else {}
    if page.is_large:
        await take_place()
        entitled = while_entitled(shown, await get_rights_check(request))
        return await json_page_response(entitled, others, headers)
    return tagged_json_response(await json_page(shown, others), known, headers=headers)


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
