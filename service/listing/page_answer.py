"""Answers a request with a page of the list."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request, Response

from documents.freeform import json_bytes
from service.auth.authentication import Caller, while_entitled
from service.database.concurrently import together
from service.http.dependencies import TakePlace, context_of, get_list_caller, get_rights_check, place_when_large
from service.http.links import next_page_link
from service.http.responses import json_items, json_page, json_page_response, tagged_json_response, weak_tag
from service.listing.facets import facets
from service.listing.page import page_items
from service.listing.page_reading import find_page
from service.listing.params import ListParams
from service.listing.rendered_pages import RenderedPage, RenderedPages, page_key
from service.listing.resolving import resolver

# Items as the API shows them, in batches.
Items = AsyncIterator[Sequence[Mapping[str, Any]]]


class PageAnswer(Protocol):
    """Answers a request of a caller with a page of the list."""

    async def __call__(
        self,
        params: ListParams,
        known: Sequence[str] | None,
        completed: Callable[[Items], Items] | None = None,
    ) -> Response:
        """Return the response; `completed` gets the items of the page, and returns what is shown of them."""


async def get_page_answer(request: Request) -> AsyncIterator[PageAnswer]:
    """Yield what answers a request with a page of the list; raises as `get_list_caller` does."""
    caller = await get_list_caller(request)
    async with place_when_large(request) as take_place:
        yield partial(_answer_with_page, request, caller, take_place=take_place)


PageAnswerDependency = Annotated[PageAnswer, Depends(get_page_answer)]


async def _answer_with_page(
    request: Request,
    caller: Caller,
    params: ListParams,
    known: Sequence[str] | None,
    completed: Callable[[Items], Items] | None = None,
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
        found = await find_page(context.database, caller, params, resolved, seconds=seconds)
    counted = {} if counting is None else {"facets": counting.result()}
    pages: RenderedPages = request.app.state.rendered_pages
    key = page_key(found, caller)
    if completed is None and (remembered := pages.get(key)) is not None:
        return _response(request, remembered, counted, known)
    page = await found.page()
    shown = page_items(
        context.database,
        caller,
        page,
        readers_see_params=context.settings.readers_see_params,
        shown=params.shown,
    )
    if completed is not None:
        shown = completed(shown)
    if page.is_large:
        await take_place()
        entitled = while_entitled(shown, await get_rights_check(request))
        others = {"total": page.total, "next_cursor": page.next_cursor, **counted}
        return await json_page_response(entitled, others, _headers(request, page.next_cursor))
    rendered = RenderedPage.of(page, await json_items(shown))
    if completed is None and not page.has_large:
        pages.keep(key, rendered)
    return _response(request, rendered, counted, known)


def _response(
    request: Request, page: RenderedPage, counted: Mapping[str, Any], known: Sequence[str] | None
) -> Response:
    others = {"total": page.total, "next_cursor": page.next_cursor, **counted}
    tag = weak_tag(page.items_tag.encode() + json_bytes(others))
    return tagged_json_response(json_page(page.items, others), known, tag, _headers(request, page.next_cursor))


def _headers(request: Request, next_cursor: str | None) -> Mapping[str, str]:
    return next_page_link(request, next_cursor) if next_cursor is not None else {}
