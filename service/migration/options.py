"""What an import may do."""

from dataclasses import dataclass
from enum import StrEnum

from service.identity import Caller


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
