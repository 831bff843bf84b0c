"""Detection of outbound connections: every attempt to connect, except to the database, or to resolve a host name."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def outbound_calls() -> Iterator[list[str]]:
    """Refuse these attempts in this process for the duration of a block; yield the list of their destinations.

    Unix sockets still work, because the tests reach their database over one.
    """
    attempted: list[str] = []
    connect = socket.socket.connect

    def watched(this: socket.socket, address: Any) -> None:
        if this.family == socket.AF_UNIX:
            connect(this, address)
            return
        attempted.append(str(address))
        raise ConnectionRefusedError

    def asked(host: Any, *arguments: Any, **options: Any) -> Any:
        attempted.append(str(host))
        raise socket.gaierror

    with (
        patch.object(socket.socket, "connect", watched),
        patch.object(socket.socket, "connect_ex", watched),
        patch.object(socket, "getaddrinfo", asked),
        patch.object(socket, "gethostbyname", asked),
    ):
        yield attempted
