"""The overview for admins: what the directory holds, in numbers and pictures, and what needs a look."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from documents import User
from service.auth.authentication import Caller
from service.doctor import Diagnosis, examine
from service.http.dependencies import MORE_TIME, Context, ContextDependency
from service.http.places import LongRequest
from service.listing import overview
from service.listing.facets import facets
from service.listing.params import ListParams
from service.listing.resolving import resolver
from service.models.principals import names_of
from service.web.dependencies import PageAdminDependency, SignedInDependency
from service.web.rendering import html

router = APIRouter(include_in_schema=False)

BARS = 10
# Larger directories are examined on the command line: here it would slow down what others ask for.
MAX_EXAMINED = 20_000
COLUMN, COLUMN_HEIGHT = 26, 120


@router.get("/overview", dependencies=[MORE_TIME])
async def show_overview(
    request: Request, signed_in: SignedInDependency, admin: PageAdminDependency, context: ContextDependency
) -> Response:
    """Return the overview."""
    return html("overview.html", signed_in=signed_in, active="overview", **await _values(request, context, admin))


@router.get("/overview/examined", dependencies=[MORE_TIME])
async def show_examined(
    request: Request, signed_in: SignedInDependency, admin: PageAdminDependency, context: ContextDependency
) -> Response:
    """Return the overview with what the doctor finds, who repairs nothing here."""
    values = await _values(request, context, admin)
    if values["may_examine"]:
        with context.places[LongRequest.BULK_CHANGE].taken_by(admin.user_id):
            values["found"] = _found(await examine(context.database, repair=False))
    return html("overview.html", signed_in=signed_in, active="overview", **values)


async def _values(request: Request, context: Context, admin: Caller) -> dict[str, Any]:
    database = context.database
    with context.places[LongRequest.PAGE].taken_by(admin.user_id):
        params = ListParams(facets="tag,base_model_id,kind,is_active,owner")
        resolved = await resolver(request)(params)
        counted = await facets(database, admin, params, resolved, context.settings.request_timeout)
        months = await overview.growth(database, admin)
        imports = await overview.last_imports(database)
        names = await names_of(database, User, {one["by"] for one in imports if isinstance(one["by"], str)})
        states = {one["value"]: one["count"] for one in counted["is_active"]}
        total = sum(states.values())
        return {
            "total": total,
            "inactive": states.get(False, 0),
            "bases": next((one["count"] for one in counted["kind"] if one["value"] == "base"), 0),
            "people": await overview.people(database),
            "by_base": _bars(counted["base_model_id"]),
            "by_tag": _bars(counted["tag"]),
            "by_owner": _bars(counted["owner"]),
            "months": _columns(months),
            "out_of_reach": await overview.out_of_reach(database, admin),
            "unused": await overview.unused_bases(database, admin),
            "imports": [{**one, "who": names.get(one["by"], one["by"])} for one in imports],
            "may_examine": total <= MAX_EXAMINED,
            "found": None,
        }


def _bars(counted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    shown = counted[:BARS]
    most = max((one["count"] for one in shown), default=1)
    return [
        {
            "value": one["value"],
            "label": one.get("label", one["value"]),
            "count": one["count"],
            "part": _part(one, most),
        }
        for one in shown
    ]


def _part(one: Mapping[str, Any], most: int) -> float:
    share: float = 100 * one["count"] / most
    return round(max(1.0, share), 1)


def _columns(months: Sequence[tuple[str, int]]) -> dict[str, Any]:
    most = max((count for _, count in months), default=1)
    columns = [
        {
            "month": month,
            "count": count,
            "x": at * COLUMN,
            "height": max(2, round(COLUMN_HEIGHT * count / most)),
        }
        for at, (month, count) in enumerate(months)
    ]
    return {"columns": columns, "width": max(1, len(columns)) * COLUMN, "height": COLUMN_HEIGHT}


def _found(diagnosis: Diagnosis) -> dict[str, Any]:
    kinds = [
        {"kind": kind.value, "count": found.count, "examples": found.examples}
        for kind, found in diagnosis.findings.items()
    ]
    return {"examined": diagnosis.examined, "kinds": kinds}
