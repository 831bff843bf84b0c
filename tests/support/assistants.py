"""Assistants: the protocol's own client, connected to `modeldeck mcp` by standard input and output or by HTTP."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from tests.support.commands import MODELDECK, CommandLine, end, free_port, until

MODERN, EARLIER = "auto", "legacy"


@dataclass(frozen=True, slots=True)
class ByHttp:
    """A running `modeldeck mcp --http`."""

    process: subprocess.Popen[str]
    url: str
    output: Path

    @property
    def logged(self) -> str:
        """What it has written."""
        return self.output.read_text()


@contextmanager
def serving_mcp(shell: CommandLine, *arguments: str) -> Iterator[ByHttp]:
    """Run `modeldeck mcp --http` for the duration of a block, which begins once it accepts requests."""
    port = free_port()
    output = shell.folder / f"mcp-{port}.log"
    with output.open("w") as file:
        process = shell.start("mcp", "--http", "--port", str(port), *arguments, stdout=file, stderr=subprocess.STDOUT)
    try:
        until(lambda: "server is at" in output.read_text() or process.poll() is not None, "it is announced")
        assert process.poll() is None, output.read_text()
        yield ByHttp(process, f"http://127.0.0.1:{port}/mcp", output)
    finally:
        end(process)


@asynccontextmanager
async def by_http(server: ByHttp, key: str | None, mode: str = MODERN) -> AsyncIterator[Client]:
    """Yield a client that sends a key with each request."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(server.url, http_client=http), mode=mode) as client,
    ):
        yield client


@asynccontextmanager
async def by_stdio(url: str, key: str, errors: TextIO, mode: str = MODERN) -> AsyncIterator[Client]:
    """Yield a client that has started the command itself."""
    variables = {"MODELDECK_URL": url, "MODELDECK_KEY": key}
    parameters = StdioServerParameters(command=MODELDECK, args=["mcp"], env=variables, cwd=Path(errors.name).parent)
    async with Client(stdio_client(parameters, errors), mode=mode) as client:
        yield client


def text_of(result: CallToolResult) -> str:
    """Return the text of the result of a call."""
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


async def answer_of(client: Client, tool: str, **arguments: Any) -> Any:
    """Call a tool, which must succeed; return its answer."""
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    assert not result.is_error, text_of(result)
    return result.structured_content


async def refusal_of(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool, which must fail; return its explanation."""
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    assert result.is_error, text_of(result)
    assert result.structured_content is None
    return text_of(result)


class Relay:
    """Passes connections on to a service, until it is stopped as if the service were; it can start again."""

    def __init__(self, url: str) -> None:
        found = re.fullmatch(r"http://([\d.]+):(\d+)", url)
        assert found is not None
        self._service = found[1], int(found[2])
        self._port = free_port()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The address that it listens on."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", self._port)

    async def stop(self) -> None:
        """Close all connections, and accept none."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._service)
        ends = {writer, back}
        self._open |= ends
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        except OSError:
            pass
        finally:
            for end_ in ends:
                end_.close()
            self._open -= ends

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
        writer.close()
