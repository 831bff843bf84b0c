"""`POST /models/bulk/access` and `/models/bulk/state`."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Response

from documents.revision import Change
from service.auth import access_rule
from service.bulk.operations import change_selected
from service.bulk.schemas import BulkAccessChange, BulkChangeResults, BulkStateChange
from service.database.exact_bson import Record
from service.http.dependencies import MORE_TIME, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.problems import BODY_FAILURES, documented_problems
from service.http.responses import json_response
from service.listing.search_statistics import SearchStatisticsDependency
from service.models.bulk_change import BulkChange
from service.models.grant_revocation import revoke_absent_grants
from service.models.grants import GrantChanges, build_grants, replace_grants
from service.models.principals import require_principals
from service.models.record import Content

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": BulkChangeResults},
    **documented_problems(*BODY_FAILURES),
}


router = APIRouter(prefix="/models/bulk", tags=["bulk"], dependencies=[MORE_TIME])


@router.post("/state", responses=_ANSWERS)
async def change_states(
    caller: WriterDependency,
    body: Annotated[BulkStateChange, json_body(BulkStateChange)],
    context: ContextDependency,
    statistics: SearchStatisticsDependency,
) -> Response:
    """Make many models active or inactive: each changes for itself, if the caller may write it."""
    wish = BulkChange(
        Change.TOGGLE, caller.user_id, access_rule.writable(caller), lambda _: {"is_active": body.is_active}
    )
    return json_response(await change_selected(context.database, statistics, caller, body, wish))


@router.post("/access", responses=_ANSWERS)
async def change_grants(
    caller: WriterDependency,
    body: Annotated[BulkAccessChange, json_body(BulkAccessChange)],
    context: ContextDependency,
    statistics: SearchStatisticsDependency,
) -> Response:
    """Add, remove or replace grants of many models: each changes for itself, if it is the caller's to share."""
    given = [grant.model_dump() for grant in body.replace or body.add or ()]
    await require_principals(context.database, given, ("body", "add" if body.replace is None else "replace"))
    wish = BulkChange(Change.ACCESS, caller.user_id, access_rule.manageable(caller), _amending(body))
    outcomes = await change_selected(context.database, statistics, caller, body, wish)
    await revoke_absent_grants(context.database, given)
    return json_response(outcomes)


def _amending(body: BulkAccessChange) -> Callable[[Record], Content]:
    if body.replace is not None:
        asked = body.replace
        return lambda record: {"access_grants": replace_grants(build_grants(record["_id"], asked), record)}
    changes = GrantChanges([removal.model_dump() for removal in body.remove or ()], body.add or ())
    return lambda record: {"access_grants": changes.apply(record)}
