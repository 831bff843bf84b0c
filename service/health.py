"""Whether the process is up, and whether it can serve."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from service.context import ContextDependency
from service.drain import DRAINING
from service.problems import documented_problems, problem

router = APIRouter(prefix="/health", tags=["health"])


class LiveShape(BaseModel):
    """The process runs."""

    status: str = Field(examples=["up"])


class ReadyShape(BaseModel):
    """The service can answer."""

    status: str = Field(examples=["ready"])


@router.get("/live", responses={200: {"model": LiveShape}}, response_model=None)
async def live() -> dict[str, str]:
    """Answer as long as the process runs; the database is not asked."""
    return {"status": "up"}


@router.get(
    "/ready",
    responses={200: {"model": ReadyShape}, **documented_problems(HTTPStatus.SERVICE_UNAVAILABLE)},
    response_model=None,
)
async def ready(context: ContextDependency) -> Response | dict[str, Any]:
    """Answer 200 when the database answers soon, every declared index is in place, and it refuses no record of ours."""
    if DRAINING.is_set():
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "The process is about to end.")
    hindrance = await context.readiness.result()
    return {"status": "ready"} if hindrance is None else problem(HTTPStatus.SERVICE_UNAVAILABLE, hindrance)
