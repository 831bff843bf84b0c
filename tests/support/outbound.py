"""Whom a process of ours calls: every attempt to connect anywhere but to its database, or to ask for an address."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch


@contextmanager
def outbound_calls() -> Iterator[list[str]]:
    """Refuse each such attempt of this process for the duration of a block, and collect where they would have gone.

    Sockets of the machine's own file system are left alone: that is where the database of the tests is.
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
