"""Asking an application without a server between: what is received and sent, and clients that leave."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass
class Exchange:
    """One request. `leave()` is what a client does that closes its connection."""

    path: str = "/"
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""
    parts: Sequence[bytes] = (b"",)
    sent: list[Message] = field(default_factory=list)
    _left: asyncio.Event = field(default_factory=asyncio.Event)
    _taken: int = 0

    @property
    def scope(self) -> dict[str, Any]:
        """What an application is told of the request."""
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

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    async def receive(self) -> Message:
        """Return the next part of the body, and then wait until the client leaves or has its answer."""
        if self._taken < len(self.parts):
            self._taken += 1
            more = self._taken < len(self.parts)
            return {"type": "http.request", "body": self.parts[self._taken - 1], "more_body": more}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._left.set()

    async def with_app(self, app: ASGIApp) -> "Exchange":
        """Have an application answer; return this exchange."""
        await app(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int | None:
        """The status of the answer, if there was one."""
        return self.sent[0]["status"] if self.sent else None

    @property
    def answered(self) -> dict[str, str]:
        """The headers of the answer."""
        return {name.decode().lower(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """The body of the answer, as far as it came."""
        return b"".join(message.get("body", b"") for message in self.sent[1:])
