"""What every command that listens for HTTP requests shares: the web server's options, and a free address."""

import socket
from typing import Any

import uvicorn

from service.cli.http_protocol import Protocol
from service.errors import ConfigurationError


class Announcing(uvicorn.Server):
    """A server that prints its address once it accepts connections."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen; print the announcement if that succeeds."""
        await super().startup(sockets)
        if self.started:
            print(self._announcement, flush=True)


def server_options(host: str, port: int, logged: dict[str, Any], leaving_seconds: float) -> dict[str, Any]:
    """Return the options of the web server; requests have `leaving_seconds` to end when it stops."""
    return {
        # Not uvloop: it accepts only one connection in each round of the event loop. Under load, connections would
        # wait unaccepted for seconds that no timeout counts, instead of being refused at once.
        "loop": "asyncio",
        "host": host,
        "port": port,
        "log_config": logged,
        "log_level": None,
        "timeout_graceful_shutdown": int(leaving_seconds),
        "server_header": False,
        "http": Protocol,
        # Longer than load balancers keep idle connections, which is 60 s: they must not send on one that is closing.
        "timeout_keep_alive": 75,
        "access_log": False,
    }


def require_free(host: str, port: int) -> None:
    """Raise ConfigurationError when it is not possible to listen on an address."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"Can't listen on {host}:{port}: {error}") from None


def web_address(host: str, port: int) -> str:
    """Return the address of what listens there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
