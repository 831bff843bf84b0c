"""What an import is asked to do, and what it decides on each record."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from documents.origin import NAMELESS
from service.auth.authentication import Caller, RightsCheck, without_check
from service.importing.deletion_guard import DEFAULT_MAX_DELETIONS, MaxDeletions
from service.importing.report import ImportOutcome, Report

ATTEMPTS = 5
CONTENDED = "The same records are being changed by others all the time; try again later."
EXISTS = "exists and differs"
BEING_DELETED = "is being deleted; try again when it is gone, or run: modeldeck doctor --repair"


BeforeModels = Callable[[int], Awaitable[None]]


async def _nothing(_: object) -> None:
    pass


class OnConflict(StrEnum):
    """What to do with a record that exists and differs; only a model of a named source can be merged."""

    MERGE = "merge"
    UPDATE = "update"
    SKIP = "skip"
    FAIL = "fail"


class UnknownOwner(StrEnum):
    """What to do with a model whose owner is not here: keep the id, give it to the owner of models, or reject it."""

    KEEP = "keep"
    OWNER = "owner"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Prune:
    """What to do with the models that have gone from a source: make them inactive, or delete so many at most."""

    delete: bool = False
    max_deletions: MaxDeletions = DEFAULT_MAX_DELETIONS


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to import a source.

    `owner_id` owns the models that name no owner and, if `unknown_owner` says so, those whose owner is not here.
    `dry_run` writes nothing. `whole_report` keeps the results of unchanged records too, as a dry run always does. With
    `most_results`, no more are kept, besides the first faults, and a source with more records of a wrong shape is not
    read to its end. `atomic` writes all or nothing. `create_groups` creates the groups that grants name and that do not
    exist. With `only_people`, models and their history are passed over. With `mine`, all new models belong to
    `owner_id`, whatever the source says, and existing ones keep their owners. `caller` is the user whose rights limit
    the import; without one, as on the command line, there is no limit. `check` is called before each batch, and ends
    the import when it raises; `before_models` before the first model, with the number of models in the source;
    `before_commit` as the last part of the transaction of an `atomic` import.

    `source` names the source, whose models are then kept in step. `format_name` stands for it where none is named, for
    models that were taken over. With `adopt`, models are taken over that are here and did not come from the source.
    `prune` says what happens to models that have gone from it; None for nothing.
    """

    on_conflict: OnConflict = OnConflict.UPDATE
    owner_id: str | None = None
    dry_run: bool = False
    whole_report: bool = False
    most_results: int | None = None
    atomic: bool = False
    create_groups: bool = False
    only_people: bool = False
    mine: bool = False
    unknown_owner: UnknownOwner = UnknownOwner.KEEP
    caller: Caller | None = None
    check: RightsCheck = without_check
    before_models: BeforeModels = _nothing
    before_commit: Callable[[Report], Awaitable[None]] = _nothing
    source: str | None = None
    format_name: str | None = None
    adopt: bool = False
    prune: Prune | None = None

    @property
    def remembered_as(self) -> str | None:
        """The name under which the source of a model is stored."""
        return self.source or self.nameless

    @property
    def nameless(self) -> str | None:
        """The name for models that were taken over from a source of this format without a name."""
        return None if self.format_name is None else f"{NAMELESS}{self.format_name}"

    @property
    def by(self) -> str | None:
        """The user who imports; None for the command line."""
        return None if self.caller is None else self.caller.user_id

    @property
    def trusted(self) -> bool:
        """Whether the source may set times and versions."""
        return self.caller is None or self.caller.is_admin


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a record, the fields that change, and the reason when it is not imported.

    `conflicts` are the parts of it that stay as they are, each with the reason. `note` is a remark, which is reported
    even if the record itself is not.
    """

    outcome: ImportOutcome
    fields: Sequence[str] = ()
    reason: str = ""
    conflicts: Sequence[str] = ()
    note: str = ""

    @property
    def writes(self) -> bool:
        """Whether something is to be written."""
        return self.outcome in (ImportOutcome.CREATED, ImportOutcome.UPDATED, ImportOutcome.DELETED)

    def add_to(self, report: Report, position: str, kind: str, record_id: str) -> None:
        """Add the decision to the report."""
        for conflict in self.conflicts:
            report.add(ImportOutcome.CONFLICT, position, kind, record_id, reason=conflict)
        if self.note:
            report.add(ImportOutcome.NOTE, position, kind, record_id, reason=self.note)
        if not self.conflicts or self.writes:
            report.add(self.outcome, position, kind, record_id, fields=self.fields, reason=self.reason)


def decide_update(options: ImportOptions, differing: Sequence[str]) -> Decision:
    """Return the decision on a record that exists and differs in these fields."""
    if not differing:
        return Decision(ImportOutcome.UNCHANGED)
    if options.on_conflict in (OnConflict.UPDATE, OnConflict.MERGE):
        return Decision(ImportOutcome.UPDATED, differing)
    outcome = ImportOutcome.SKIPPED if options.on_conflict is OnConflict.SKIP else ImportOutcome.CONFLICT
    return Decision(outcome, reason=f"{EXISTS}: {', '.join(differing)}")
