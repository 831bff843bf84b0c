"""What the driver tells of its commands and connections, passed on to those who count or trace them."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionCheckOutFailedEvent,
    ConnectionCheckOutStartedEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
    PoolClearedEvent,
    PoolClosedEvent,
    PoolCreatedEvent,
    PoolReadyEvent,
)

OPEN, IN_USE = "open", "in_use"

# Is told of each command that has ended: its name, its seconds and, of a failure, the code or else the kind.
CommandWatch = Callable[[str, float, str | None], None]


class DatabaseWatch(Protocol):
    """Who wants to know of commands and connections. Called in the threads of the driver."""

    def command(self, name: str, seconds: float, code: str | None) -> None:
        """Take note of a command that has ended; of one that failed, by the code or else the kind of the failure."""

    def connections(self, state: str, change: int) -> None:
        """Take note that there are more or fewer connections that are `open` or `in_use`."""


def listeners(watch: DatabaseWatch, traced: Sequence[CommandWatch] = ()) -> list[Any]:
    """Return what the driver is to be given as its `event_listeners`."""
    return [*(_Commands(told) for told in (watch.command, *traced)), _Connections(watch)]


class _Commands(CommandListener):
    def __init__(self, told: CommandWatch) -> None:
        self._told = told

    def started(self, event: CommandStartedEvent) -> None:
        """Nothing: how long it took is told at the end."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._told(event.command_name, event.duration_micros / 1e6, None)

    def failed(self, event: CommandFailedEvent) -> None:
        # The message of a failure can quote the command.
        code = event.failure.get("code", event.failure.get("errtype", "unknown"))
        self._told(event.command_name, event.duration_micros / 1e6, str(code))


class _Connections(ConnectionPoolListener):
    def __init__(self, watch: DatabaseWatch) -> None:
        self._watch = watch

    def connection_created(self, event: ConnectionCreatedEvent) -> None:  # noqa: ARG002
        self._watch.connections(OPEN, 1)

    def connection_closed(self, event: ConnectionClosedEvent) -> None:  # noqa: ARG002
        self._watch.connections(OPEN, -1)

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:  # noqa: ARG002
        self._watch.connections(IN_USE, 1)

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:  # noqa: ARG002
        self._watch.connections(IN_USE, -1)

    def connection_ready(self, event: ConnectionReadyEvent) -> None: ...
    def connection_check_out_started(self, event: ConnectionCheckOutStartedEvent) -> None: ...
    def connection_check_out_failed(self, event: ConnectionCheckOutFailedEvent) -> None: ...
    def pool_created(self, event: PoolCreatedEvent) -> None: ...
    def pool_ready(self, event: PoolReadyEvent) -> None: ...
    def pool_cleared(self, event: PoolClearedEvent) -> None: ...
    def pool_closed(self, event: PoolClosedEvent) -> None: ...
