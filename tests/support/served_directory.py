"""A directory on a port of its own, where single requests meet with something: a faster change, a lost answer."""

import asyncio
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tests.support.directory import Directory

SECONDS = 30.0
_Happening = Callable[[Scope, Receive, Send], Awaitable[None]]


class ServedDirectory:
    """The service of a directory, over TCP."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._happenings: defaultdict[tuple[str, str], list[_Happening]] = defaultdict(list)
        # Keeps the port for a restart.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self._state = ServerState()
        self._listening: asyncio.Server | None = None
        # What a proxy before it would strip from paths.
        self.stripped = ""
        self._answers: list[tuple[str, str, int]] = []
        self._answered = asyncio.Event()
        self.requests: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._reserved.getsockname()[1]}"

    def sent(self, method: str, path: str) -> list[dict[str, str]]:
        """Return the headers of the requests that came so far with this method and path."""
        return [headers for *one, headers in self.requests if one == [method, path]]

    async def answered(self, method: str, path: str, status: int) -> None:
        """Wait until a request of this kind was answered with this status."""
        async with asyncio.timeout(SECONDS):
            while (method, path, status) not in self._answers:
                self._answered.clear()
                await self._answered.wait()

    def meanwhile(self, method: str, path: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Do something before the next request of this kind is carried out."""

        async def first(scope: Scope, receive: Receive, send: Send) -> None:
            await work()
            await self._app(scope, receive, send)

        self._happenings[method, path].append(first)

    def lose_answer(self, method: str, path: str) -> None:
        """Carry out the next request of this kind, but break its connection instead of answering."""

        async def lost(scope: Scope, receive: Receive, send: Send) -> None:
            async def swallow(message: Message) -> None:
                """Send nothing."""

            await self._app(scope, receive, swallow)
            self.break_connections(scope["client"])
            while (await receive())["type"] != "http.disconnect":
                pass

        self._happenings[method, path].append(lost)

    def answer(self, method: str, path: str, answer: Response) -> None:
        """Answer the next request of this kind like this, without carrying it out."""
        self._happenings[method, path].append(answer)

    def break_connections(self, client: tuple[str, int] | None = None) -> None:
        """Break the connection of a client, or all."""
        for connection in list(self._state.connections):
            assert isinstance(connection, HttpToolsProtocol)
            if client in {None, connection.client}:
                connection.transport.abort()

    @property
    def at_work(self) -> int:
        """How many requests are being answered."""
        return len(self._state.tasks)

    async def idle(self) -> None:
        """Wait until no request is being answered."""
        async with asyncio.timeout(SECONDS):
            while self._state.tasks:
                await asyncio.wait(set(self._state.tasks))

    async def start(self) -> None:
        """Listen."""
        # The application has been started by the directory.
        config = uvicorn.Config(
            self._handle, http="httptools", interface="asgi3", lifespan="off", log_config=None, access_log=False
        )
        config.load()

        def connected() -> asyncio.Protocol:
            protocol: asyncio.Protocol = config.http_protocol_class(config, self._state, {})  # type: ignore[call-arg]
            return protocol

        address = self._reserved.getsockname()
        self._listening = await asyncio.get_running_loop().create_server(connected, *address, reuse_port=True)

    async def stop(self) -> None:
        """Listen no more, break all connections, and wait for what is still at work."""
        assert self._listening is not None
        self._listening.close()
        self.break_connections()
        await self._listening.wait_closed()
        await self.idle()

    async def close(self) -> None:
        """Stop for good."""
        await self.stop()
        self._reserved.close()

    @property
    def _app(self) -> ASGIApp:
        return self.directory.app

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        one = scope["method"], scope["path"]
        self.requests.append((*one, {name.decode(): value.decode() for name, value in scope["headers"]}))
        scope["path"] = scope["path"].removeprefix(self.stripped)
        happening: ASGIApp = self._happenings[one].pop(0) if self._happenings[one] else self._app

        async def sending(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                self._answers.append((*one, message["status"]))
                self._answered.set()

        await happening(scope, receive, sending)


@asynccontextmanager
async def served(directory: Directory) -> AsyncIterator[ServedDirectory]:
    """Serve a directory for the duration of a block."""
    serving = ServedDirectory(directory)
    await serving.start()
    try:
        yield serving
    finally:
        await serving.close()
