"""Limits the requests in flight: further ones are refused at once, before any work is done for them."""

from collections import Counter
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

    def __init__(self, limit: "ConcurrencyLimit", credential: bytes) -> None:
        self._limit = limit
        self._credential = credential
        self._held = True

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Give the place up during a block; raise UnavailableError when none is left afterwards."""
        self.release()
        yield
        if not self._limit.enter(self._credential):
            raise UnavailableError(FULL)
        self._held = True

    def release(self) -> None:
        """Give the place up for good."""
        if self._held:
            self._held = False
            self._limit.leave(self._credential)


class ConcurrencyLimit:
    """Passes `limit` requests on at a time, and probes always.

    An eighth of the places is never taken by requests with the same credential, or by those without any.
    """

    def __init__(self, app: ASGIApp, limit: int, on_refusal: Callable[[], None] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._limit_for_one = limit - limit // 8
        self._in_flight: Counter[bytes] = Counter()
        self._on_refusal = on_refusal
        # Made once, so that refusing many requests costs little.
        self._refusal = problem(HTTPStatus.SERVICE_UNAVAILABLE, FULL, {"Retry-After": RETRY_AFTER_SECONDS})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 503."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        sent = dict(reversed(scope["headers"]))
        # As it is authenticated: the scheme in any case, and any number of spaces. The page has a cookie instead.
        credential = sent.get(b"authorization", b"").partition(b" ")[2].strip() or sent.get(b"cookie", b"")
        if not self.enter(credential):
            await self._refusal(scope, receive, send)
            return
        slot = Slot(self, credential)
        scope.setdefault("state", {})["slot"] = slot
        try:
            await self._app(scope, receive, send)
        finally:
            slot.release()

    def enter(self, credential: bytes) -> bool:
        """Count one more request in flight; return False when there are as many as allowed."""
        if self._in_flight.total() >= self._limit or self._in_flight[credential] >= self._limit_for_one:
            if self._on_refusal is not None:
                self._on_refusal()
            return False
        self._in_flight[credential] += 1
        return True

    def leave(self, credential: bytes) -> None:
        """Count one request less."""
        self._in_flight[credential] -= 1
        if not self._in_flight[credential]:
            del self._in_flight[credential]
