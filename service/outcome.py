"""Whether a piece of work may have changed something: what its failure alone does not tell."""

from contextvars import ContextVar


class Outcome:
    """What is known of the changes that one piece of work, such as the answer to a request, makes."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self.may_have_changed = False


# Of what this task works for, if anybody wants to know.
current_outcome: ContextVar[Outcome | None] = ContextVar("outcome", default=None)


def note_change() -> None:
    """Take note that a change is sent that may take effect from then on."""
    outcome = current_outcome.get()
    if outcome is not None:
        outcome.may_have_changed = True


def may_have_changed() -> bool:
    """Return whether what this task works for may have changed something; True when nobody has kept count."""
    outcome = current_outcome.get()
    return outcome is None or outcome.may_have_changed
