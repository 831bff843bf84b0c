"""The server on standard input and output, for an assistant that starts it itself."""

import logging
import os
import signal
import sys
from io import TextIOWrapper

import anyio
from mcp.server.stdio import stdio_server

from modeldeck_client import NoAnswer, Unauthorized
from service.errors import ConfigurationError
from service.mcp.connections import Connections
from service.mcp.server import create_server, explained

MAX_CHARACTERS = 1_000_000

log = logging.getLogger("modeldeck")


class BoundedLines(TextIOWrapper):
    """Text whose lines have a bounded length; those that are longer are left out, and never in memory as a whole."""

    def readline(self, *_: int) -> str:  # type: ignore[override]  # as that of its base
        """Return the next line, an empty one in place of one that is too long, and nothing at the end."""
        line = super().readline(MAX_CHARACTERS)
        if len(line) < MAX_CHARACTERS or line.endswith("\n"):
            return line
        log.error("a message of more than %d characters was left out", MAX_CHARACTERS)
        while line and not line.endswith("\n"):
            line = super().readline(MAX_CHARACTERS)
        return "\n"


async def require_service(url: str, key: str) -> None:
    """Raise ConfigurationError unless the service answers at `url` and takes the key."""
    async with Connections(url) as connections:
        try:
            client = connections.client(key)
        except ValueError as error:
            raise ConfigurationError(f"MODELDECK_KEY: {str(error).removeprefix('key: ')}") from None
        try:
            await client.page(fields="name", page_size=1, total="none")
        except Unauthorized as error:
            raise ConfigurationError(f"{url} does not take the key in MODELDECK_KEY: {explained(error)}") from error
        except NoAnswer as error:
            # Whoever starts it may know why.
            raise ConfigurationError(f"{url}: {error}") from error
        except Exception as error:
            raise ConfigurationError(f"{url}: {explained(error)}") from error


async def serve_stdio(url: str, key: str) -> None:
    """Answer the assistant until standard input ends, or nobody reads the answers."""
    # A thread waits for standard input, and would go on waiting. There is nothing to release.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    # The thread that waits may still do so when all else has ended: nothing may close what it reads from.
    unowned = os.fdopen(sys.stdin.fileno(), "rb", closefd=False)
    incoming_lines = anyio.wrap_file(BoundedLines(unowned, encoding="utf-8", errors="replace"))
    async with Connections(url) as connections:
        client = connections.client(key)
        server = create_server(lambda _: client)
        try:
            async with stdio_server(incoming_lines) as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())
        except* BrokenPipeError:
            log.info("the assistant has gone")
