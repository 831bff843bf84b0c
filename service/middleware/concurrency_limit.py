"""Limits the requests in flight: further ones are refused at once, before any work is done for them."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.problem_responses import problem
from service.observability.requests import PROBES

RETRY_AFTER_SECONDS = "1"
FULL = "Too many requests are being answered at the moment; try again."


class ConcurrencyLimit:
    """Passes `limit` requests on at a time, and probes always."""

    def __init__(self, app: ASGIApp, limit: int, on_refusal: Callable[[], None] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._in_flight = 0
        self._on_refusal = on_refusal
        # Made once, so that refusing many requests costs little.
        self._refusal = problem(HTTPStatus.SERVICE_UNAVAILABLE, FULL, {"Retry-After": RETRY_AFTER_SECONDS})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 503."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._limit:
            if self._on_refusal is not None:
                self._on_refusal()
            await self._refusal(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
