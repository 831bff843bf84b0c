"""What a follower is shown of a change: that something has happened to a model, as they see it."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum

from service.changes.entries import Access, FeedPosition, ModelChange


class Happening(StrEnum):
    """What has happened, as a follower sees it."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    ADDED = "added"
    REMOVED = "removed"
    RESYNC = "resync"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a follower is shown: that something has happened, or only that all is well, and where to go on after it.

    `item` is the model after a change, as JSON, for those who may read it then.
    """

    position: FeedPosition
    happening: Happening | None = None
    change: ModelChange | None = None
    item: bytes | None = None


WITH_ITEM = (Happening.CREATED, Happening.UPDATED, Happening.ADDED)


def happening_of(change: ModelChange, principals: AbstractSet[str]) -> Happening | None:
    """Return what a change is for who has these principals before and after it; None if they see it neither way."""
    could, can = _may_read(change.before, principals), _may_read(change.after, principals)
    if could and can:
        return Happening.UPDATED
    if can:
        return Happening.CREATED if change.before is None else Happening.ADDED
    if could:
        return Happening.DELETED if change.after is None else Happening.REMOVED
    return None


def _may_read(access: Access | None, principals: AbstractSet[str]) -> bool:
    return access is not None and not access.readers.isdisjoint(principals)
