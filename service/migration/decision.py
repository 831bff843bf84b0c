"""What becomes of one record of a source, decided by what is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.migration.options import ImportOptions, OnConflict
from service.migration.report import Outcome, Report

EXISTS = "exists and differs"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a record, the fields that change, and why it is not taken over."""

    outcome: Outcome
    fields: Sequence[str] = ()
    reason: str = ""

    @property
    def writes(self) -> bool:
        """Whether something is to be written."""
        return self.outcome in (Outcome.CREATED, Outcome.UPDATED)

    def tell(self, report: Report, position: str, kind: str, record_id: str) -> None:
        """Put the decision into the report."""
        report.add(self.outcome, position, kind, record_id, fields=self.fields, reason=self.reason)


def compared(options: ImportOptions, differing: Sequence[str]) -> Decision:
    """Return what becomes of a record that is there and of which these fields differ."""
    if not differing:
        return Decision(Outcome.UNCHANGED)
    if options.on_conflict is OnConflict.UPDATE:
        return Decision(Outcome.UPDATED, differing)
    outcome = Outcome.SKIPPED if options.on_conflict is OnConflict.SKIP else Outcome.CONFLICT
    return Decision(outcome, reason=f"{EXISTS}: {', '.join(differing)}")
