"""The outermost middleware: gives each request an id, logs how it was answered, and informs the observers."""

import logging
import time
from collections.abc import Sequence
from http import HTTPStatus
from re import Pattern
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.database.errors import INTERNAL_DETAIL
from service.errors import ModeldeckError
from service.http.problem_responses import problem
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

# The status that nginx logs, too, for a client that disconnects before it is answered.
CLIENT_DISCONNECTED = 499
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
UNMATCHED = "unmatched"
_HEADER = HEADER.lower().encode()


class RouteTemplates:
    """Finds the template of the route at a path: paths hold ids, and there are arbitrarily many of them."""

    def __init__(self, routes: Sequence[BaseRoute] = ()) -> None:
        self._plain: set[str] = set()
        self._patterns: dict[str, Pattern[str]] = {}
        for path in [str(route.path) for route in iter_route_contexts(routes)]:
            pattern, template, parameters = compile_path(path)
            if parameters:
                self._patterns[template] = pattern
            else:
                self._plain.add(path)

    def of(self, path: str) -> str:
        """Return the template of the route that answers at a path, or `unmatched`."""
        if path in self._plain:
            return path
        return next((template for template, pattern in self._patterns.items() if pattern.match(path)), UNMATCHED)


class _Exchange:
    """The messages of one request, from and to the server."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.id = request_id(next((value for name, value in scope["headers"] if name == _HEADER), None))
        self.status: int | None = None
        self.complete = self.client_left = False

    @property
    def logged_status(self) -> int:
        """The status for the log; an answer that breaks off has failed, whatever status it started with."""
        if self.status is not None and (self.complete or self.client_left):
            return self.status
        return CLIENT_DISCONNECTED if self.client_left else int(HTTPStatus.INTERNAL_SERVER_ERROR)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self.complete:
            self.client_left = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (_HEADER, self.id.encode())]
        elif message["type"] == "http.response.body":
            self.complete = not message.get("more_body", False)
        await self._send(message)


class AccessLog:
    """Writes one line for each request."""

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
            self._log_answer(scope, exchange, time.perf_counter() - begun, probe=probe)
            current_request_id.reset(token)

    async def _answered(self, scope: Scope, exchange: _Exchange) -> None:
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.status is not None and isinstance(error.__cause__, ModeldeckError):
                # Starlette raises its own error when an answer has begun that can't become another one.
                log.warning("an answer was broken off: %s", error.__cause__.detail)
                return
            # Not raised again: the server would log its message, which may quote data. The server breaks off an
            # answer that is not complete.
            log.error("unexpected error", exc_info=error)
            if exchange.status is None and not exchange.client_left:
                answer = problem(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_DETAIL)
                await answer(scope, exchange.receive, exchange.send)

    def _log_answer(self, scope: Scope, exchange: _Exchange, seconds: float, *, probe: bool) -> None:
        answered = AnsweredRequest(
            method=scope["method"] if scope["method"] in METHODS else OTHER,
            route=self._templates.of(scope["path"]),
            status=exchange.logged_status,
            seconds=seconds,
            probe=probe,
            client_left=exchange.client_left,
            followed=scope.get("state", {}).get("followed", False),
        )
        for observer in self._observers:
            observer.end(answered)
        level = logging.DEBUG if probe else logging.INFO
        if log.isEnabledFor(level):
            log.log(level, "request", extra={REQUEST: _line(scope, answered)})


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
