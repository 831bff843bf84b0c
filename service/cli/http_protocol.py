"""The web server's side of a connection, whose refusals are `application/problem+json` like all others."""

import asyncio
import socket
import sys
from contextlib import suppress
from http import HTTPStatus

import orjson
from httptools import HttpParserInvalidURLError
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.http.problems import ADDRESS_TOO_LONG, MAX_ADDRESS_BYTES, PROBLEM_JSON, problem_body
from service.middleware.security_headers import ALWAYS, UNLESS_SET
from service.observability.requests import HEADER, request_id

NOT_ENCODED = "The address holds characters that must be percent-encoded, as UTF-8."
# What a client leaves unread for longer takes memory that others need: the system closes such a connection, also when
# the request has ended and only the rest of its answer waits to be sent.
UNREAD_MILLISECONDS = 60_000
# Linux only.
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


class Protocol(HttpToolsProtocol):
    """Explains why a request can't be parsed, and does not wait for ever for a client that reads nothing."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is None:
            return
        # A Unix socket has no such options.
        with suppress(OSError):
            # The event loop does so only for sockets that it made itself, not for one that several workers share. Then
            # the system would hold back the body of an answer until the client has acknowledged its headers: for 40 ms.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _USER_TIMEOUT is not None:
                connection.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, UNREAD_MILLISECONDS)

    def send_400_response(self, msg: str) -> None:
        """Answer a request that the parser refuses, and close the connection. The application never sees it."""
        status, detail = self._refusal(msg)
        body = orjson.dumps(problem_body(status, detail, None))
        headers = {
            **ALWAYS,
            **UNLESS_SET,
            "Content-Type": PROBLEM_JSON,
            "Content-Length": str(len(body)),
            "Connection": "close",
            HEADER: request_id(None),
        }
        lines = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        self.transport.write(STATUS_LINE[status] + lines.encode() + b"\r\n" + body)
        self.transport.close()

    def _refusal(self, msg: str) -> tuple[HTTPStatus, str]:
        # The parser's error is being handled.
        if isinstance(sys.exception(), HttpParserInvalidURLError):
            return HTTPStatus.BAD_REQUEST, NOT_ENCODED
        if len(getattr(self, "url", b"")) > MAX_ADDRESS_BYTES:
            return HTTPStatus.REQUEST_URI_TOO_LONG, ADDRESS_TOO_LONG
        return HTTPStatus.BAD_REQUEST, msg
