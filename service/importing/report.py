"""The report of an import: counts, and the result of each record with its position in the source and the reason."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from service.errors import MAX_ERRORS, ConfigurationError

SHOWN_ID_LENGTH = 300
SPOOL_BYTES = 1_000_000
MAX_UNKNOWN_OWNERS = 100


class ImportOutcome(StrEnum):
    """The result of importing one record, or a part of one."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    REJECTED = "rejected"
    # Of a record that was imported: a part that was not, and a remark.
    KEPT_OUT = "kept out"
    NOTE = "note"


_RECORDS = [outcome for outcome in ImportOutcome if outcome not in (ImportOutcome.KEPT_OUT, ImportOutcome.NOTE)]
_WRITTEN = (ImportOutcome.CREATED, ImportOutcome.UPDATED, ImportOutcome.DELETED)
_FAULTS = (ImportOutcome.CONFLICT, ImportOutcome.REJECTED, ImportOutcome.KEPT_OUT)
# Reported in any case; the others only when the whole report is wanted.
_REPORTED = (*_FAULTS, ImportOutcome.NOTE)


def printable(text: str) -> str:
    """Return a text, which may quote a file, in a form that can be encoded: lone surrogates are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def _printable_id(record_id: Any) -> str | None:
    if record_id is None:
        return None
    # A source can have any value in the place of an id, also one that is too deep or too large to be written.
    text = str(record_id) if isinstance(record_id, str | int | float) else type(record_id).__name__
    return printable(text[:SHOWN_ID_LENGTH])


@dataclass(frozen=True, slots=True)
class ImportResult:
    """The result of one record: its position in the source, the fields that change, and why it was not imported."""

    outcome: ImportOutcome
    position: str
    kind: str
    id: str | None
    fields: Sequence[str] = ()
    reason: str = ""

    def __str__(self) -> str:
        """Return the result as one line."""
        named = f" {self.id!r}" if self.id is not None else ""
        fields = ", ".join(self.fields)
        why = f"{self.reason} ({fields})" if self.reason and fields else self.reason or fields
        line = f"{self.outcome} {self.position} {self.kind}{named}{f': {why}' if why else ''}"
        # The text of a file must neither break the line nor fail to be encoded.
        return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def require_writable(path: Path) -> None:
    """Raise ConfigurationError when no report can be written to this path, before anything is imported."""
    with _raising_for_unwritable():
        path.open("a", encoding="utf-8").close()


@contextmanager
def _raising_for_unwritable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"The report can't be written: {error}") from None


class Report:
    """Counts in memory, and results in a temporary file when there are many, so that memory stays bounded.

    With `whole`, every result is kept; otherwise only faults and notes. Where there is a `most`, so many are kept, and
    besides the first faults; the others are only counted.
    """

    def __init__(self, *, whole: bool = False, most: int | None = None) -> None:
        self.counts: Counter[tuple[str, ImportOutcome]] = Counter()
        self.seen = 0
        self.fatal: str | None = None
        # Why all of it was rolled back.
        self.undone: str | None = None
        # Why the models that have gone from the source stay as they are.
        self.not_pruned: str | None = None
        # How many models each owner has who is not here; the rest of them is under None when there are many.
        self.unknown_owners: Counter[str | None] = Counter()
        self._whole = whole
        self._most = most
        # How many results there are, also of those beyond `most`.
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
        """Add the result of one record, or of a part of one."""
        self.counts[kind, outcome] += 1
        if not self._whole and outcome not in _REPORTED:
            return
        self.result_count += 1
        if self._is_kept(outcome):
            result = ImportResult(
                outcome, printable(position), kind, _printable_id(record_id), tuple(fields), printable(reason)
            )
            self._results.write(json.dumps(asdict(result)) + "\n")

    def _is_kept(self, outcome: ImportOutcome) -> bool:
        first_faults = outcome in _FAULTS and self.fault_count <= MAX_ERRORS
        return self._most is None or self.result_count <= self._most or first_faults

    def add_unknown_owner(self, owner: str) -> None:
        """Count a model whose owner is not here."""
        known = owner in self.unknown_owners or len(self.unknown_owners) < MAX_UNKNOWN_OWNERS
        self.unknown_owners[owner if known else None] += 1

    def reject(self, position: str, kind: str, record_id: Any, reason: str) -> None:
        """Add that a record was not imported."""
        self.add(ImportOutcome.REJECTED, position, kind, record_id, reason=reason)

    def reject_part(self, position: str, kind: str, record_id: Any, reason: str) -> None:
        """Add that a part of a record was not imported."""
        self.add(ImportOutcome.KEPT_OUT, position, kind, record_id, reason=reason)

    def results(self) -> Iterator[ImportResult]:
        """Yield the results that are kept, in the order in which they were added."""
        self._results.seek(0)
        for line in self._results:
            result = json.loads(line)
            yield ImportResult(**{**result, "outcome": ImportOutcome(result["outcome"])})
        self._results.seek(0, 2)

    def reported(self) -> Iterator[ImportResult]:
        """Yield the faults and the notes."""
        return (result for result in self.results() if result.outcome in _REPORTED)

    def faults(self) -> Iterator[ImportResult]:
        """Yield the results of what was not imported."""
        return (result for result in self.results() if result.outcome in _FAULTS)

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
        return sum(self.total[outcome] for outcome in _WRITTEN)

    @property
    def fault_count(self) -> int:
        """How many records, or parts of records, were not imported."""
        return sum(self.total[fault] for fault in _FAULTS)

    @property
    def clean(self) -> bool:
        """Whether everything was imported."""
        return self.fatal is None and self.not_pruned is None and not self.fault_count

    def summary(self) -> dict[str, Any]:
        """Return how many records of each kind had each outcome."""
        kinds = sorted({kind for kind, outcome in self.counts if outcome in _RECORDS})
        return {
            kind: {outcome.value: self.counts[kind, outcome] for outcome in _RECORDS if self.counts[kind, outcome]}
            for kind in kinds
        }

    def write(self, path: Path, source_format: str, reason: str) -> None:
        """Write the report as one JSON object, with the format of the source and the reason for it."""
        head = {
            "format": source_format,
            "reason": reason,
            "undone": self.undone,
            "changes": self.changes,
            "counts": self.summary(),
            "kept_out": self.total[ImportOutcome.KEPT_OUT],
            "unknown_owners": [
                {"user_id": owner, "models": count} for owner, count in self.unknown_owners.most_common()
            ],
            "fatal": self.fatal,
            "not_pruned": self.not_pruned,
        }
        with _raising_for_unwritable(), path.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head)[:-1] + ', "steps": [')
            for number, result in enumerate(self.results()):
                file.write((",\n" if number else "\n") + json.dumps(asdict(result)))
            file.write("]}\n")

    def close(self) -> None:
        """Delete the temporary file."""
        self._results.close()
