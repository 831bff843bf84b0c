"""Whether a piece of work may have changed something: what its failure alone does not tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class WriteTracker:
    """What is known of the changes that one piece of work, such as the answer to a request, makes."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self.may_have_changed = False
        self._waiting = False

    def changing(self, *, at_commit: bool) -> None:
        """Take note of a change that may take effect from now on or, in a transaction, from its commit on."""
        if at_commit:
            self._waiting = True
        else:
            self.may_have_changed = True

    def commit(self) -> None:
        """Take note that what was changed in a transaction may take effect from now on."""
        self.may_have_changed = self.may_have_changed or self._waiting


# Of what this task works for; where nobody wants to know, of nothing in particular.
current_write_tracker: ContextVar[WriteTracker | None] = ContextVar("outcome", default=None)


def write_tracker() -> WriteTracker:
    """Return what is known of the changes that this task's work makes; one of its own where nobody wants to know."""
    return current_write_tracker.get() or WriteTracker()


@contextmanager
def untracked() -> Iterator[None]:
    """Let changes of a block not count, which are none for whoever asked for the work."""
    token = current_write_tracker.set(None)
    try:
        yield
    finally:
        current_write_tracker.reset(token)
