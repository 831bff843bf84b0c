"""The catalogue: search, filters with counts, and a page of models as cards or rows."""

import asyncio
import logging
import secrets
import shlex
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from documents import Group
from service.auth.authentication import Caller
from service.database.errors import DatabaseError
from service.errors import InvalidInputError, ModeldeckError
from service.http.dependencies import LIST_TIME, Context, ContextDependency
from service.http.places import LongRequest
from service.http.root_path import public_path
from service.listing.facets import facets
from service.listing.page import Page, page_items
from service.listing.page_reading import read_page
from service.listing.pipeline import Resolved
from service.listing.resolving import ResolveDependency
from service.models.image_routes import answer_with_image, with_embedded_images
from service.models.principals import names_of
from service.web.cards import card
from service.web.dependencies import PageCallerDependency, SignedInDependency
from service.web.facet_choices import Facets, chosen, sections
from service.web.rendering import HEADERS, HTML, frame, link, render
from service.web.sharing_words import Names, asked_groups, shared_with, sharing_icon
from service.web.view import PERIODS, SORTS, View

router = APIRouter(include_in_schema=False)
log = logging.getLogger("modeldeck")

# Stands in a page for what is made later; escaping leaves it as it is.
_PLACE = "facets-come-here-" + secrets.token_hex(16)


@router.get("/", dependencies=[LIST_TIME])
async def show_catalogue(
    request: Request, signed_in: SignedInDependency, context: ContextDependency, resolve: ResolveDependency
) -> Response:
    """Return a view of the models that the caller may see."""
    caller, sent = signed_in.caller, request.query_params.multi_items()
    try:
        view = View.of(sent)
        resolved = await resolve(view.params)
        page = await read_page(context.database, caller, view.params, resolved, seconds=context.settings.list_timeout)
    except InvalidInputError as error:
        if any("cursor" in problem["loc"] for problem in error.errors):
            # A list that has changed its filters begins anew.
            return _to_the_first_page(sent)
        raise
    # An address can name any group; who is not in it learns no name of it.
    named = caller.group_ids | ({*view.params.group} if caller.is_admin else set())
    items, teams = await asyncio.gather(
        shown_items(context, caller, page, view), names_of(context.database, Group, named)
    )
    following = view.following(page.next_cursor, len(items)) if page.next_cursor else None
    values = {**_values(request, caller, view, teams), "items": items, "total": page.total or 0, "next": following}
    whole = render("catalogue.html", {**frame(signed_in), **values, "facets_come_here": _PLACE})
    before, _, after = whole.partition(_PLACE)

    async def parts() -> AsyncIterator[str]:
        # Counting takes longer than a page of models, which is shown meanwhile.
        yield before
        yield await _facets(context, caller, view, resolved, teams) + after

    return StreamingResponse(parts(), headers=HEADERS, media_type=HTML)


async def _facets(context: Context, caller: Caller, view: View, resolved: Resolved, teams: Mapping[str, str]) -> str:
    counted: Facets = dict.fromkeys(view.params.wanted_facets, ())
    failed = False
    try:
        counted = await facets(context.database, caller, view.params, resolved, context.settings.list_timeout)
    except (DatabaseError, ModeldeckError) as error:
        log.warning("the catalogue is shown without counts: %s", type(error).__name__)
        failed = True
    groups = sorted(caller.group_ids, key=lambda group: teams.get(group, group))
    values = {
        "view": view,
        "sections": sections(view, counted, {"group": teams}, groups),
        "periods": {name: said for name, (_, said) in PERIODS.items()},
        "failed": failed,
    }
    return render("facets.html", values)


def _to_the_first_page(sent: Iterable[tuple[str, str]]) -> Response:
    kept = View.of([pair for pair in sent if pair[0] not in {"cursor", "from"}])
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": link("/") + kept.address()})


async def shown_items(context: Context, caller: Caller, page: Page, view: View) -> list[dict[str, Any]]:
    """Return the models of a page as cards; of large ones only what a card shows stays in memory."""
    items: list[dict[str, Any]] = []
    async with _place_when_large(context, caller, page):
        parts = page_items(
            context.database,
            caller,
            page,
            readers_see_params=context.settings.readers_see_params,
            shown=view.params.shown,
        )
        async for part in parts:
            items += [card(item) for item in part]
    ids = [item["id"] for item in items if isinstance(item["id"], str)]
    names, pictured = await asyncio.gather(
        Names.in_grants(context.database, caller, items), with_embedded_images(context.database, caller, ids)
    )
    return [card_with(item, names, pictured) for item in items]


@asynccontextmanager
async def _place_when_large(context: Context, caller: Caller, page: Page) -> AsyncIterator[None]:
    if not page.is_large:
        yield
        return
    with context.places[LongRequest.PAGE].taken_by(caller.user_id):
        yield


def card_with(item: dict[str, Any], names: Names, pictured: set[str]) -> dict[str, Any]:
    """Return a card with the names of those with whom it is shared, and the address of its image if it has one."""
    image = link("/model/image", id=item["id"]) if item["id"] in pictured else None
    return {**item, "image": image, "shared": shared_with(item, names), "shared_icon": sharing_icon(item)}


def _values(request: Request, caller: Caller, view: View, teams: Mapping[str, str]) -> dict[str, Any]:
    api = f"{request.url.scheme}://{request.url.netloc}{public_path('/api/models/list')}{view.api_query()}"
    return {
        "active": "models",
        "view": view,
        "chosen": chosen(view, {"group": teams}),
        "tabs": _tabs(view, caller),
        "sorts": {name: said for name, (_, _, said) in SORTS.items() if name != "best" or view.params.query},
        "curl": f'curl -s -H "Authorization: Bearer $MODELDECK_KEY" {shlex.quote(api)}',
    }


def _tabs(view: View, caller: Caller) -> list[dict[str, Any]]:
    """Return the entries by which most people want to see the catalogue."""
    groups = asked_groups(caller)
    mine, whose = view.params.view_option, set(view.params.group)
    teams = bool(groups) and whose == set(groups)
    plain = [("view_option", None), ("group", None)]

    def tab(name: str, *, current: bool, extra: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
        address = view.address(without=plain)
        return {"name": name, "href": link("/") + _joined(address, extra), "current": current}

    tabs = [
        tab("All", current=mine is None and not whose),
        tab("Mine", current=mine == "created", extra=[("view_option", "created")]),
        tab("Shared with me", current=mine == "shared", extra=[("view_option", "shared")]),
    ]
    if groups:
        tabs.append(tab("Shared with my teams", current=teams, extra=[("group", group) for group in groups]))
    return tabs


def _joined(address: str, extra: Sequence[tuple[str, str]]) -> str:
    if not extra:
        return address
    return f"{address}{'' if address.endswith('?') else '&'}{urlencode(extra)}"


@router.get("/model/image")
async def show_image(request: Request, caller: PageCallerDependency, context: ContextDependency, id: str) -> Response:  # noqa: A002
    """Return the image of a model."""
    answer = await answer_with_image(context, caller, id, request.headers.getlist("If-None-Match"))
    answer.headers["Vary"] = "Cookie"
    return answer
