"""The route that Prometheus asks for the metrics."""

from functools import partial
from hmac import compare_digest
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import SecretStr

from service.context import ContextDependency, resolved
from service.errors import UnauthorizedError
from service.problems import documented_problems

# https://prometheus.io/docs/instrumenting/exposition_formats/
PLAIN = "text/plain; version=0.0.4"
_ANSWER: dict[str, Any] = {
    "description": "All metrics, in the text format of Prometheus.",
    "content": {"text/plain": {"schema": {"type": "string"}, "example": "modeldeck_requests_in_flight 3.0\n"}},
}

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    responses={200: _ANSWER, **documented_problems(HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)},
    response_class=Response,
)
async def metrics(request: Request, context: ContextDependency) -> Response:
    """Answer with counts and times for Prometheus; the database is not asked.

    Where the service is configured for it, this takes a token of its own: `Authorization: Bearer <token>`.
    """
    if context.settings.metrics_token is not None:
        await resolved(request, context, partial(_require, context.settings.metrics_token))
    return Response(await context.metrics.rendered(), media_type=PLAIN)


async def _require(token: SecretStr, sent: str | None) -> None:
    expected = f"Bearer {token.get_secret_value()}"
    if not compare_digest(expected.encode(), (sent or "").encode()):
        raise UnauthorizedError
