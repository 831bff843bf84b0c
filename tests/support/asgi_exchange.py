"""One request to an ASGI application without a server: what the application receives and sends, and disconnects."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass
class Exchange:
    """One request and its response. `disconnect()` closes the connection, as a client may do at any time."""

    path: str = "/"
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    parts: Sequence[bytes] = (b"",)
    sent: list[Message] = field(default_factory=list)
    _ended: asyncio.Event = field(default_factory=asyncio.Event)
    _taken: int = 0

    @property
    def scope(self) -> dict[str, Any]:
        """The ASGI scope of the request."""
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "root_path": "",
            "query_string": self.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in self.headers.items()],
            "client": ("127.0.0.1", 50000),
            "server": ("test", 80),
            "state": {},
        }

    def disconnect(self) -> None:
        """Close the connection."""
        self._ended.set()

    async def receive(self) -> Message:
        """Return the next part of the body; after the last one, wait for a disconnect or the end of the response."""
        if self._taken < len(self.parts):
            self._taken += 1
            more = self._taken < len(self.parts)
            return {"type": "http.request", "body": self.parts[self._taken - 1], "more_body": more}
        await self._ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Receive a message of the response."""
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._ended.set()

    async def with_app(self, app: ASGIApp) -> "Exchange":
        """Send the request to an application; return this exchange."""
        await app(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int | None:
        """The status of the response, if there was one."""
        return self.sent[0]["status"] if self.sent else None

    @property
    def response_headers(self) -> dict[str, str]:
        """The headers of the response."""
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """The body of the response, as far as it was sent."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])
