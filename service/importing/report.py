"""What an import did, or would do: counts, and what became of each record, with its position and reason."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from service.errors import ConfigurationError

SHOWN_ID_LENGTH = 300
SPOOL_BYTES = 1_000_000


class ImportOutcome(StrEnum):
    """What became of one record, or of a part of one."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    # Of a record that was taken over: what was not, and what is worth knowing.
    KEPT_OUT = "kept out"
    NOTE = "note"


_RECORDS = (
    ImportOutcome.CREATED,
    ImportOutcome.UPDATED,
    ImportOutcome.UNCHANGED,
    ImportOutcome.SKIPPED,
    ImportOutcome.CONFLICT,
    ImportOutcome.REJECTED,
)
_FAULTS = (ImportOutcome.CONFLICT, ImportOutcome.REJECTED, ImportOutcome.KEPT_OUT)
# What is told in any case; the rest only when the whole plan is wanted.
_REPORTED = (*_FAULTS, ImportOutcome.NOTE)


def printable(text: str) -> str:
    """Return a text that may quote a file as it can be written: lone surrogates are in no encoding."""
    return text.encode("utf-8", "backslashreplace").decode()


def _shown(record_id: Any) -> str | None:
    if record_id is None:
        return None
    # Anything can stand in the place of an id, also what is too deep or too large to be written.
    text = str(record_id) if isinstance(record_id, str | int | float) else type(record_id).__name__
    return printable(text[:SHOWN_ID_LENGTH])


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of one record: where it stands in the source, the fields that change, and why it did not go in."""

    outcome: ImportOutcome
    position: str
    kind: str
    id: str | None
    fields: Sequence[str] = ()
    reason: str = ""

    def __str__(self) -> str:
        """Write the step as one line."""
        named = f" {self.id!r}" if self.id is not None else ""
        why = self.reason or ", ".join(self.fields)
        line = f"{self.outcome} {self.position} {self.kind}{named}{f': {why}' if why else ''}"
        # What a file holds must neither break the line nor be beyond what can be written.
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def require_writable(path: Path) -> None:
    """Raise ConfigurationError when a report can't be written, before there is anything to be told."""
    with _raising_for_unwritable():
        path.open("a", encoding="utf-8").close()


@contextmanager
def _raising_for_unwritable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"The report can't be written: {error}") from None


class Report:
    """Counts in memory; the steps, when there are many, in a temporary file: memory stays bounded.

    With `whole`, every step is kept; otherwise those that tell of a fault, and the notes.
    """

    def __init__(self, *, whole: bool = False) -> None:
        self.counts: Counter[tuple[str, ImportOutcome]] = Counter()
        self.seen = 0
        self.fatal: str | None = None
        # Why nothing of it was written after all.
        self.undone: str | None = None
        self._whole = whole
        # How many steps there are to be told.
        self.result_count = 0
        self._results = tempfile.SpooledTemporaryFile(SPOOL_BYTES, "w+", encoding="utf-8")  # noqa: SIM115

    def add(
        self,
        outcome: ImportOutcome,
        position: str,
        kind: str,
        record_id: Any,
        *,
        fields: Sequence[str] = (),
        reason: str = "",
    ) -> None:
        """Note what became of one record, or of a part of one."""
        self.counts[kind, outcome] += 1
        if self._whole or outcome in _REPORTED:
            step = ImportResult(outcome, printable(position), kind, _shown(record_id), tuple(fields), printable(reason))
            self._results.write(json.dumps(asdict(step)) + "\n")
            self.result_count += 1

    def reject(self, position: str, kind: str, record_id: Any, reason: str) -> None:
        """Note that a record was not taken over."""
        self.add(ImportOutcome.REJECTED, position, kind, record_id, reason=reason)

    def reject_part(self, position: str, kind: str, record_id: Any, reason: str) -> None:
        """Note that a part of a record was not taken over."""
        self.add(ImportOutcome.KEPT_OUT, position, kind, record_id, reason=reason)

    def results(self) -> Iterator[ImportResult]:
        """Yield what was kept, in the order in which it came."""
        self._results.seek(0)
        for line in self._results:
            step = json.loads(line)
            yield ImportResult(**{**step, "outcome": ImportOutcome(step["outcome"])})
        self._results.seek(0, 2)

    def reported(self) -> Iterator[ImportResult]:
        """Yield what was not taken over, and the notes."""
        return (step for step in self.results() if step.outcome in _REPORTED)

    def faults(self) -> Iterator[ImportResult]:
        """Yield what was not taken over."""
        return (step for step in self.results() if step.outcome in _FAULTS)

    @property
    def total(self) -> Counter[ImportOutcome]:
        """The counts over all kinds of records."""
        total: Counter[ImportOutcome] = Counter()
        for (_, outcome), count in self.counts.items():
            total[outcome] += count
        return total

    @property
    def changes(self) -> int:
        """How many records were, or would be, written."""
        return self.total[ImportOutcome.CREATED] + self.total[ImportOutcome.UPDATED]

    @property
    def fault_count(self) -> int:
        """How many records, or parts of records, were not taken over."""
        return sum(self.total[fault] for fault in _FAULTS)

    @property
    def clean(self) -> bool:
        """Whether everything was taken over."""
        return self.fatal is None and not self.fault_count

    def summary(self) -> dict[str, Any]:
        """Return the counts of whole records by kind and outcome."""
        kinds = sorted({kind for kind, outcome in self.counts if outcome in _RECORDS})
        return {
            kind: {outcome.value: self.counts[kind, outcome] for outcome in _RECORDS if self.counts[kind, outcome]}
            for kind in kinds
        }

    def write(self, path: Path, source_format: str, reason: str) -> None:
        """Write the whole report as one JSON object, with the format of the source and how it was known."""
        head = {
            "format": source_format,
            "reason": reason,
            "undone": self.undone,
            "changes": self.changes,
            "counts": self.summary(),
            "kept_out": self.total[ImportOutcome.KEPT_OUT],
            "fatal": self.fatal,
        }
        with _raising_for_unwritable(), path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head)[:-1] + ', "steps": [')
            for number, step in enumerate(self.results()):
                file.write((",\n" if number else "\n") + json.dumps(asdict(step)))
            file.write("]}\n")

    def close(self) -> None:
        """Throw the steps away."""
        self._results.close()
