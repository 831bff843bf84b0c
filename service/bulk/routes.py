"""`POST /models/bulk/access` and `/models/bulk/state`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Response

from service.bulk import operations
from service.bulk.schemas import BulkAccessChange, BulkChangeResults, BulkStateChange
from service.http.dependencies import MORE_TIME, BulkWorkDependency, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.problems import BODY_FAILURES, Responses, documented_problems
from service.http.responses import rendered
from service.idempotency.once import REPLAYED_HEADER, BeforeCommit, OnceDependency
from service.listing.resolving import ResolveDependency
from service.models.bulk_change import PASSING, RecordStatus

_ANSWERS: Responses = {
    200: {"model": BulkChangeResults, "headers": REPLAYED_HEADER},
    **documented_problems(*BODY_FAILURES),
}


def _is_kept(answer: Mapping[str, Any]) -> bool:
    return answer["complete"] and not any(result["detail"] in PASSING for result in answer["results"])


def _names(answer: Mapping[str, Any]) -> Iterator[str]:
    return (result["id"] for result in answer["results"] if result["status"] != RecordStatus.NOT_FOUND)


router = APIRouter(prefix="/models/bulk", tags=["bulk"], dependencies=[MORE_TIME])


@router.post("/state", responses=_ANSWERS)
async def change_states(
    caller: WriterDependency,
    once: OnceDependency,
    body: Annotated[BulkStateChange, json_body(BulkStateChange)],
    context: ContextDependency,
    resolve: ResolveDependency,
    *,
    work: BulkWorkDependency,
) -> Response:
    """Make many models active or inactive: each by itself, if the caller may write it.

    Sent again, what is done already is `unchanged`.
    """

    async def change(_: BeforeCommit[Any]) -> dict[str, Any]:
        with work.place():
            return await operations.change_states(context.database, resolve, caller, body, work.check)

    return await once.answered(change, rendered, _names, _is_kept)


@router.post("/access", responses=_ANSWERS)
async def change_grants(
    caller: WriterDependency,
    once: OnceDependency,
    body: Annotated[BulkAccessChange, json_body(BulkAccessChange)],
    context: ContextDependency,
    resolve: ResolveDependency,
    *,
    work: BulkWorkDependency,
) -> Response:
    """Add, remove or replace grants of many models: each by itself, if the caller is its owner or an admin.

    Sent again, what is done already is `unchanged`.
    """

    async def change(_: BeforeCommit[Any]) -> dict[str, Any]:
        with work.place():
            return await operations.change_grants(context.database, resolve, caller, body, work.check)

    return await once.answered(change, rendered, _names, _is_kept)
