"""`POST /models/bulk/access` and `/models/bulk/state`."""

from typing import Annotated

from fastapi import APIRouter, Response

from service.bulk import operations
from service.bulk.schemas import BulkAccessChange, BulkChangeResults, BulkStateChange
from service.http.dependencies import MORE_TIME, BulkWorkDependency, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.problems import BODY_FAILURES, Responses, documented_problems
from service.http.responses import json_response
from service.listing.resolving import ResolveDependency

_ANSWERS: Responses = {200: {"model": BulkChangeResults}, **documented_problems(*BODY_FAILURES)}


router = APIRouter(prefix="/models/bulk", tags=["bulk"], dependencies=[MORE_TIME])


@router.post("/state", responses=_ANSWERS)
async def change_states(
    caller: WriterDependency,
    body: Annotated[BulkStateChange, json_body(BulkStateChange)],
    context: ContextDependency,
    resolve: ResolveDependency,
    work: BulkWorkDependency,
) -> Response:
    """Make many models active or inactive: each by itself, if the caller may write it."""
    with work.place():
        return json_response(await operations.change_states(context.database, resolve, caller, body, work.check))


@router.post("/access", responses=_ANSWERS)
async def change_grants(
    caller: WriterDependency,
    body: Annotated[BulkAccessChange, json_body(BulkAccessChange)],
    context: ContextDependency,
    resolve: ResolveDependency,
    work: BulkWorkDependency,
) -> Response:
    """Add, remove or replace grants of many models: each by itself, if the caller is its owner or an admin."""
    with work.place():
        return json_response(await operations.change_grants(context.database, resolve, caller, body, work.check))
