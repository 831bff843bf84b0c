"""How a live database differs from what we declare."""

from dataclasses import dataclass
from enum import StrEnum


class DriftKind(StrEnum):
    """What is wrong with a part of the live database."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between the declared and the live database: of an index, a validator or a view.

    `guards` tells that uniqueness depends on it, `tolerable` that everything can still be answered and stored.
    """

    collection: str
    name: str
    kind: DriftKind
    detail: str
    guards: bool = False
    tolerable: bool = False

    def __str__(self) -> str:
        """Write the difference as one line."""
        return f"{self.kind}: {self.collection}.{self.name} ({self.detail})"

    @property
    def hinders(self) -> bool:
        """Whether the service can't be relied on while it is so."""
        return self.kind is not DriftKind.EXTRA and not self.tolerable
