"""The routes for probes and for Prometheus: liveness, readiness and metrics."""

from functools import partial
from hmac import compare_digest
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from service.background import SingleFlight
from service.errors import UnauthorizedError
from service.http.dependencies import ContextDependency, resolved
from service.http.problem_responses import problem
from service.http.problems import documented_problems
from service.observability.metrics import Metrics
from service.observability.probes import DRAINING

router = APIRouter(prefix="/health", tags=["health"])


class Liveness(BaseModel):
    """The process runs."""

    status: str = Field(examples=["up"])


class Readiness(BaseModel):
    """The service can answer."""

    status: str = Field(examples=["ready"])


@router.get("/live", responses={200: {"model": Liveness}}, response_model=None)
async def live() -> dict[str, str]:
    """Return 200 as long as the process runs; the database is not asked."""
    return {"status": "up"}


@router.get(
    "/ready",
    responses={200: {"model": Readiness}, **documented_problems(HTTPStatus.SERVICE_UNAVAILABLE)},
    response_model=None,
)
async def ready(request: Request) -> Response | dict[str, Any]:
    """Return 200 when the database answers in time, and its indexes and validators fit this version of the service."""
    if DRAINING.is_set():
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "The process is about to end.")
    readiness: SingleFlight[str | None] = request.app.state.readiness
    found = await readiness.result()
    return {"status": "ready"} if found is None else problem(HTTPStatus.SERVICE_UNAVAILABLE, found)


# https://prometheus.io/docs/instrumenting/exposition_formats/
PLAIN = "text/plain; version=0.0.4"
_ANSWER: dict[str, Any] = {
    "description": "All metrics, in the text format of Prometheus.",
    "content": {"text/plain": {"schema": {"type": "string"}, "example": "modeldeck_requests_in_flight 3.0\n"}},
}

metrics_router = APIRouter(tags=["health"])


@metrics_router.get(
    "/metrics",
    responses={200: _ANSWER, **documented_problems(HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)},
    response_class=Response,
)
async def metrics(request: Request, context: ContextDependency) -> Response:
    """Return counts and times for Prometheus; the database is not asked.

    Where the service is configured for it, this takes a token of its own: `Authorization: Bearer <token>`.
    """
    if context.settings.metrics_token is not None:
        await resolved(request, context, partial(_require, context.settings.metrics_token))
    collected: Metrics = request.app.state.metrics
    return Response(await collected.rendered(), media_type=PLAIN)


async def _require(token: SecretStr, sent: str | None) -> None:
    expected = f"Bearer {token.get_secret_value()}"
    if not compare_digest(expected.encode(), (sent or "").encode()):
        raise UnauthorizedError
