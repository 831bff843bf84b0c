"""The outermost gate: gives each request its id, sees how it is answered, and writes a line about it."""

import asyncio
import logging
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.database.errors import INTERNAL_DETAIL
from service.http.problems import problem
from service.middleware.route_templates import RouteTemplates
from service.observability.logs import REQUEST
from service.observability.requests import (
    HEADER,
    PROBES,
    AnsweredRequest,
    RequestObserver,
    current_request_id,
    request_id,
)

log = logging.getLogger("modeldeck")

# What others call it, too, when a client leaves before there is an answer.
CLIENT_LEFT = 499
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
_HEADER = HEADER.lower().encode()


class _Exchange:
    """The messages of one request, from and to the server."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.id = request_id(_given(scope))
        self.status: int | None = None
        self.complete = self.left = False

    @property
    def noted_status(self) -> int:
        """The status to note; an answer that breaks off has failed, whatever it began with."""
        if self.status is not None and (self.complete or self.left):
            return self.status
        return CLIENT_LEFT if self.left else int(HTTPStatus.INTERNAL_SERVER_ERROR)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.complete:
            self.left = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (_HEADER, self.id.encode())]
        elif message["type"] == "http.response.body":
            self.complete = not message.get("more_body", False)
        await self._send(message)


def _given(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == _HEADER), None)


class AccessLog:
    """Writes down each request."""

    def __init__(self, app: ASGIApp, templates: RouteTemplates, observers: Sequence[RequestObserver] = ()) -> None:
        self._app = app
        self._templates = templates
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; answer 500 when that fails without an answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        token = current_request_id.set(exchange.id)
        begun = time.perf_counter()
        probe = scope["path"] in PROBES
        for observer in self._observers:
            observer.begin(probe=probe)
        try:
            await self._answered(scope, exchange)
        finally:
            self._note(scope, exchange, time.perf_counter() - begun, probe=probe)
            current_request_id.reset(token)

    async def _answered(self, scope: Scope, exchange: _Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # It goes no further: the server would log it with what it says. An answer that is not complete, the
            # server breaks off.
            log.error("unforeseen error", exc_info=error)
            if exchange.status is None and not exchange.left:
                answer = problem(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_DETAIL)
                await answer(scope, exchange.receive, exchange.send)

    def _note(self, scope: Scope, exchange: _Exchange, seconds: float, *, probe: bool) -> None:
        answered = AnsweredRequest(
            method=scope["method"] if scope["method"] in METHODS else OTHER,
            route=self._templates.of(scope["path"]),
            status=exchange.noted_status,
            seconds=seconds,
            probe=probe,
            left=exchange.left,
        )
        for observer in self._observers:
            observer.end(answered)
        level = logging.DEBUG if probe else logging.INFO
        if log.isEnabledFor(level):
            log.log(level, "a request", extra={REQUEST: _line(scope, answered)})


def _line(scope: Scope, answered: AnsweredRequest) -> dict[str, Any]:
    caller = scope.get("state", {}).get("caller")
    client = scope.get("client")
    return {
        "caller": caller.user_id if caller else None,
        "key": caller.api_key_id if caller else None,
        "client": client[0] if client else None,
        "method": answered.method,
        "route": answered.route,
        "status": answered.status,
        "duration_ms": round(answered.seconds * 1000, 1),
    }
