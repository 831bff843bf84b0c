"""Passes the driver's events about commands and connections on to metrics and traces."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
    ConnectionCheckedInEvent,
    ConnectionCheckedOutEvent,
    ConnectionClosedEvent,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
)

OPEN, IN_USE = "open", "in_use"

# Called for each command that has ended with its name, its seconds and, if it failed, the code or else the kind.
CommandObserver = Callable[[str, float, str | None], None]


class DatabaseObserver(Protocol):
    """Observes commands and connections. Called in the threads of the driver."""

    def command(self, name: str, seconds: float, code: str | None) -> None:
        """Note a command that has ended; `code` is the code of its failure, or else the kind."""

    def connections(self, state: str, change: int) -> None:
        """Note that `change` more connections are `open` or `in_use`."""


def event_listeners(observer: DatabaseObserver, on_command: Sequence[CommandObserver] = ()) -> list[Any]:
    """Return the driver's option `event_listeners`."""
    return [*(_Commands(each) for each in (observer.command, *on_command)), _Connections(observer)]


class _Commands(CommandListener):
    def __init__(self, on_command: CommandObserver) -> None:
        self._on_command = on_command

    def started(self, event: CommandStartedEvent) -> None:
        """Do nothing: the event at the end has the duration."""

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self._on_command(event.command_name, event.duration_micros / 1e6, None)

    def failed(self, event: CommandFailedEvent) -> None:
        # The message of a failure can quote the command.
        code = event.failure.get("code", event.failure.get("errtype", "unknown"))
        self._on_command(event.command_name, event.duration_micros / 1e6, str(code))


class _Connections(ConnectionPoolListener):
    def __init__(self, observer: DatabaseObserver) -> None:
        self._observer = observer

    def connection_created(self, event: ConnectionCreatedEvent) -> None:  # noqa: ARG002
        self._observer.connections(OPEN, 1)

    def connection_closed(self, event: ConnectionClosedEvent) -> None:  # noqa: ARG002
        self._observer.connections(OPEN, -1)

    def connection_checked_out(self, event: ConnectionCheckedOutEvent) -> None:  # noqa: ARG002
        self._observer.connections(IN_USE, 1)

    def connection_checked_in(self, event: ConnectionCheckedInEvent) -> None:  # noqa: ARG002
        self._observer.connections(IN_USE, -1)

    def _ignored(self, event: object) -> None:
        """Do nothing: the driver calls a method for each kind of event."""

    connection_ready = connection_check_out_started = connection_check_out_failed = _ignored
    pool_created = pool_ready = pool_cleared = pool_closed = _ignored
