"""What an import did, or would do: counts, and every rejected record with its position and reason."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from service.errors import ConfigurationError

SHOWN_ID_LENGTH = 300
SPOOL_BYTES = 1_000_000


class Outcome(StrEnum):
    """What became of one record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One record, or one part of a record, that was not taken over."""

    position: str
    kind: str
    id: str | None
    reason: str

    def __str__(self) -> str:
        """Write the rejection as one line."""
        named = f" {self.id!r}" if self.id is not None else ""
        line = f"rejected {self.position} {self.kind}{named}: {self.reason}"
        # What a file holds must neither break the line nor be beyond what can be written.
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


class Report:
    """Counts in memory, the rejections, when there are many, in a temporary file: memory stays bounded."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Outcome]] = Counter()
        self.seen = 0
        self.fatal: str | None = None
        self._rejections = tempfile.SpooledTemporaryFile(SPOOL_BYTES, "w+", encoding="utf-8")  # noqa: SIM115

    def count(self, kind: str, outcome: Outcome) -> None:
        """Note what became of one record."""
        self.counts[kind, outcome] += 1

    def reject(self, position: str, kind: str, record_id: Any, reason: str, *, whole: bool = True) -> None:
        """Note that a record, or with `whole=False` a part of one that is itself taken over, was rejected."""
        if whole:
            self.count(kind, Outcome.REJECTED)
        else:
            self.counts["part", Outcome.REJECTED] += 1
        shown = str(record_id)[:SHOWN_ID_LENGTH] if record_id is not None else None
        rejection = Rejection(position, kind, shown, reason)
        self._rejections.write(json.dumps(asdict(rejection)) + "\n")

    def rejections(self) -> Iterator[Rejection]:
        """Yield every rejection in the order of its discovery."""
        self._rejections.seek(0)
        for line in self._rejections:
            yield Rejection(**json.loads(line))
        self._rejections.seek(0, 2)

    @property
    def total(self) -> Counter[Outcome]:
        """The counts over all kinds of records."""
        total: Counter[Outcome] = Counter()
        for (kind, outcome), count in self.counts.items():
            if kind != "part":
                total[outcome] += count
        return total

    @property
    def changes(self) -> int:
        """How many records were, or would be, written."""
        return self.total[Outcome.CREATED] + self.total[Outcome.UPDATED]

    @property
    def clean(self) -> bool:
        """Whether everything was taken over."""
        return self.fatal is None and not any(outcome is Outcome.REJECTED for _, outcome in self.counts)

    def summary(self) -> dict[str, Any]:
        """Return the counts by kind of record and outcome."""
        kinds = sorted({kind for kind, _ in self.counts})
        return {
            kind: {outcome: self.counts[kind, outcome] for outcome in Outcome if self.counts[kind, outcome]}
            for kind in kinds
        }

    def write(self, path: Path) -> None:
        """Write the whole report as one JSON object."""
        head = {"changes": self.changes, "counts": self.summary(), "fatal": self.fatal}
        try:
            with path.open("w", encoding="utf-8") as file:
                file.write(json.dumps(head)[:-1] + ', "rejected": [')
                for number, rejection in enumerate(self.rejections()):
                    file.write((",\n" if number else "\n") + json.dumps(asdict(rejection)))
                file.write("]}\n")
        except OSError as error:
            raise ConfigurationError(f"The report can't be written: {error}") from None

    def close(self) -> None:
        """Throw the rejections away."""
        self._rejections.close()
