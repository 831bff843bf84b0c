"""What has changed lately, and by whom."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from documents import User
from service.auth.authentication import Caller
from service.http.dependencies import LIST_TIME, Context, ContextDependency
from service.listing.page_reading import read_page
from service.listing.resolving import ResolveDependency
from service.models.history.recent import changes_since
from service.models.principals import names_of
from service.web.catalogue import shown_items
from service.web.dependencies import SignedInDependency
from service.web.history_words import what
from service.web.rendering import html
from service.web.sharing_words import asked_groups
from service.web.view import PERIODS, View

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 40
WHOSE = {"created": "My models", "shared": "Shared with me", "teams": "Shared with my teams"}

Text = Annotated[str | None, Query(max_length=4000)]


@router.get("/changes", dependencies=[LIST_TIME])
async def show_changes(
    signed_in: SignedInDependency,
    *,
    context: ContextDependency,
    resolve: ResolveDependency,
    period: Text = None,
    whose: Text = None,
    cursor: Text = None,
) -> Response:
    """Return the models that have changed within a time, newest first, with what was done by whom."""
    caller = signed_in.caller
    period = period if period in PERIODS else "7d"
    view = View.of(_asked(caller, period, whose, cursor), PAGE_SIZE)
    resolved = await resolve(view.params)
    page = await read_page(context.database, caller, view.params, resolved, seconds=context.settings.list_timeout)
    items = await shown_items(context, caller, page, view)
    days = await _days(context, caller, items, view.params.updated_since)
    return html(
        "changes.html",
        signed_in=signed_in,
        active="changes",
        days=days,
        total=page.total or 0,
        period=period,
        periods={name: said for name, (_, said) in PERIODS.items()},
        whose=whose or "",
        choices=WHOSE if asked_groups(caller) else {key: said for key, said in WHOSE.items() if key != "teams"},
        next=page.next_cursor,
        later=cursor is not None,
    )


def _asked(caller: Caller, period: str, whose: str | None, cursor: str | None) -> list[tuple[str, str]]:
    pairs = [("changed", period), ("sort", "changed"), ("cursor", cursor or "")]
    if whose == "teams":
        return [*pairs, *(("group", group) for group in asked_groups(caller))]
    return [*pairs, ("view_option", whose)] if whose in WHOSE and whose else pairs


async def _days(
    context: Context, caller: Caller, items: Sequence[Mapping[str, Any]], since: datetime | None
) -> list[dict[str, Any]]:
    """Return the models by the day on which they were last changed."""
    ids = [item["id"] for item in items if isinstance(item["id"], str)]
    found = await changes_since(context.database, caller, ids, since or datetime.now(UTC))
    by = {one["by"] for changes in found.values() for one in changes if isinstance(one["by"], str)}
    people = await names_of(context.database, User, by)
    shown = [
        {
            **item,
            "changes": [
                {**one, "who": people.get(one["by"], one["by"]), "what": what(one["change"], one["fields"])}
                for one in found.get(item["id"], ())
            ],
        }
        for item in items
    ]
    return [{"day": day, "items": list(several)} for day, several in groupby(shown, key=_day)]


def _day(item: Mapping[str, Any]) -> str:
    moment = datetime.fromtimestamp(item["updated_at"], UTC)
    return f"{moment:%A}, {moment.day} {moment:%B %Y}"
