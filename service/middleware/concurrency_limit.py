"""Limits the requests in flight: further ones are refused at once, before any work is done for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import UnavailableError
from service.http.problem_responses import problem
from service.observability.requests import PROBES

RETRY_AFTER_SECONDS = "1"
FULL = "Too many requests are being answered at the moment; try again."


class Slot:
    """The place of one request among those in flight, which it can give up while it only waits for its client."""

    def __init__(self, limit: "ConcurrencyLimit") -> None:
        self._limit = limit
        self._held = True

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Give the place up during a block; raise UnavailableError when none is left afterwards."""
        self.release()
        yield
        if not self._limit.enter():
            raise UnavailableError(FULL)
        self._held = True

    def release(self) -> None:
        """Give the place up for good."""
        if self._held:
            self._held = False
            self._limit.leave()


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
        if not self.enter():
            await self._refusal(scope, receive, send)
            return
        slot = Slot(self)
        scope.setdefault("state", {})["slot"] = slot
        try:
            await self._app(scope, receive, send)
        finally:
            slot.release()

    def enter(self) -> bool:
        """Count one more request in flight; return False when there are as many as allowed."""
        if self._in_flight >= self._limit:
            if self._on_refusal is not None:
                self._on_refusal()
            return False
        self._in_flight += 1
        return True

    def leave(self) -> None:
        """Count one request less."""
        self._in_flight -= 1
