"""The moment by which a piece of work, such as the answer to a request, has to be done."""

import time
from contextvars import ContextVar


class Deadline:
    """A deadline that can be put off by the work that it is for."""

    def __init__(self, seconds: float) -> None:
        """Set the deadline to `seconds` from now."""
        self._at = time.monotonic() + seconds

    def allow(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now."""
        self._at = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """The seconds that are left; negative when it is over."""
        return self._at - time.monotonic()


# The deadline of what this task works for, if it has one: no call on the database is waited for any longer.
current_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def within_deadline(seconds: float) -> float:
    """Return `seconds`, or what is left of the current deadline where that is less; always more than nothing."""
    deadline = current_deadline.get()
    # Zero would mean "for ever".
    return seconds if deadline is None else max(min(seconds, deadline.remaining), 0.001)
