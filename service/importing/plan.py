"""What an import may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.auth.authentication import Caller
from service.importing.report import ImportOutcome, Report


class OnConflict(StrEnum):
    """What to do with a record that exists and differs."""

    UPDATE = "update"
    SKIP = "skip"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`owner_id` owns the models that name no owner; `dry_run` writes nothing.

    `whole_report` keeps every step, also of what did not change; a dry run does so anyway. `atomic` writes all or
    nothing. `create_groups` makes the groups that grants name and that do not exist. `mine` makes all new models
    those of `owner_id`, whatever the source says, and leaves the others to their owners. `caller` is whose rights
    bound the import; without one it may do everything, as the command line.
    """

    on_conflict: OnConflict = OnConflict.UPDATE
    owner_id: str | None = None
    dry_run: bool = False
    whole_report: bool = False
    atomic: bool = False
    create_groups: bool = False
    mine: bool = False
    caller: Caller | None = None


EXISTS = "exists and differs"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a record, the fields that change, and why it is not taken over."""

    outcome: ImportOutcome
    fields: Sequence[str] = ()
    reason: str = ""

    @property
    def writes(self) -> bool:
        """Whether something is to be written."""
        return self.outcome in (ImportOutcome.CREATED, ImportOutcome.UPDATED)

    def add_to(self, report: Report, position: str, kind: str, record_id: str) -> None:
        """Put the decision into the report."""
        report.add(self.outcome, position, kind, record_id, fields=self.fields, reason=self.reason)


def decide_update(options: ImportOptions, differing: Sequence[str]) -> Decision:
    """Return what becomes of a record that is there and of which these fields differ."""
    if not differing:
        return Decision(ImportOutcome.UNCHANGED)
    if options.on_conflict is OnConflict.UPDATE:
        return Decision(ImportOutcome.UPDATED, differing)
    outcome = ImportOutcome.SKIPPED if options.on_conflict is OnConflict.SKIP else ImportOutcome.CONFLICT
    return Decision(outcome, reason=f"{EXISTS}: {', '.join(differing)}")
