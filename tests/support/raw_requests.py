"""Requests with exact addresses and methods, which a client library would normalize or refuse to send."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from fastapi import FastAPI

Headers = Sequence[tuple[bytes, bytes]]


class RawAnswer(NamedTuple):
    """The response."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


async def send_raw(
    app: FastAPI, method: str, target: str, headers: Headers = (), *, body: bytes = b"", host: bytes = b"test"
) -> RawAnswer:
    """Send a request with exactly this target in the request line, decoded as the web server decodes it."""
    path, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", host), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    [start] = [message for message in sent if message["type"] == "http.response.start"]
    parts = [message.get("body", b"") for message in sent if message["type"] == "http.response.body"]
    return RawAnswer(start["status"], list(start["headers"]), b"".join(parts))
