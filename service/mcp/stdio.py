"""The server on standard input and output, for an assistant that starts it itself."""

import logging
import signal

from mcp.server.stdio import stdio_server

from modeldeck_client import NoAnswer, Unauthorized
from service.errors import ConfigurationError
from service.mcp.connections import Connections
from service.mcp.server import create_server, explained

log = logging.getLogger("modeldeck")


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
    async with Connections(url) as connections:
        client = connections.client(key)
        server = create_server(lambda _: client)
        try:
            async with stdio_server() as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())
        except* BrokenPipeError:
            log.info("the assistant has gone")
