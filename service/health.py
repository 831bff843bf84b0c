"""Whether the process is up, and whether it can serve."""

from typing import Any

from fastapi import APIRouter, Response

from indexes.ensure import DriftKind, check
from service.context import ContextDependency
from service.errors import problem

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """Answer as long as the process runs; the database is not asked."""
    return {"status": "up"}


@router.get("/ready", responses={503: {"description": "The database is away or lacks indexes."}}, response_model=None)
async def ready(context: ContextDependency) -> Response | dict[str, Any]:
    """Answer 200 when the database answers and every declared index is in place."""
    if any(drift.kind is not DriftKind.EXTRA for drift in await check(context.database)):
        return problem(503, "Indexes are not as declared; run: modeldeck indexes check")
    return {"status": "ready"}
