"""What database calls inherit from the piece of work they are made for: its deadline, transaction and write tracker."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorClientSession

# Work on many records may take so many times the timeout of a call.
BULK_TIMEOUT_FACTOR = 6


class Deadline:
    """The moment by which a piece of work, such as answering a request, must be done; the work can move it."""

    def __init__(self, seconds: float) -> None:
        """Set the deadline to `seconds` from now."""
        self._at = time.monotonic() + seconds

    def allow(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now."""
        self._at = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """The seconds that are left; negative after the deadline."""
        return self._at - time.monotonic()


class WriteTracker:
    """Records what a piece of work has changed: its failure alone does not show whether there was anything."""

    def __init__(self) -> None:
        """Start with nothing changed."""
        self.may_have_changed = False
        self.changed_models = 0
        self._uncommitted = False

    def changing(self, *, at_commit: bool) -> None:
        """Note a change that may take effect from now on or, in a transaction, from its commit on."""
        if at_commit:
            self._uncommitted = True
        else:
            self.may_have_changed = True

    def commit(self) -> None:
        """Note that the changes of a transaction may take effect from now on."""
        self.may_have_changed = self.may_have_changed or self._uncommitted


# Each holds for the current task; None where the task has no deadline, transaction (or snapshot), or tracker.
current_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
current_session: ContextVar[AsyncIOMotorClientSession | None] = ContextVar("session", default=None)
current_write_tracker: ContextVar[WriteTracker | None] = ContextVar("write_tracker", default=None)
# What the current transaction leaves to be done after its commit; None outside of transactions.
current_follow_ups: ContextVar[list[Callable[[], Awaitable[object]]] | None] = ContextVar("follow_ups", default=None)


def within_deadline(seconds: float) -> float:
    """Return `seconds`, or what is left of the current deadline where that is less; always more than zero."""
    deadline = current_deadline.get()
    # The driver takes a timeout of zero as no timeout.
    return seconds if deadline is None else max(min(seconds, deadline.remaining), 0.001)


def write_tracker() -> WriteTracker:
    """Return the write tracker of the current task, or an unused one where it has none."""
    return current_write_tracker.get() or WriteTracker()


@contextmanager
def untracked() -> Iterator[None]:
    """Hide the changes of a block from the write tracker, since they are no part of the result of the work."""
    token = current_write_tracker.set(None)
    try:
        yield
    finally:
        current_write_tracker.reset(token)


@contextmanager
def on_its_own() -> Iterator[None]:
    """Make the calls of a block apart from the work around it: outside of its transaction, deadline and tracker."""
    variables: tuple[ContextVar[Any], ...] = (current_session, current_deadline, current_write_tracker)
    tokens = [(variable, variable.set(None)) for variable in variables]
    try:
        yield
    finally:
        for variable, token in tokens:
            variable.reset(token)
