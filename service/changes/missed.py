"""What a follower who comes back has missed: kept here for a while, and in the database for longer."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing
from typing import Any

from service.changes.entries import Entry, FeedPosition, NumberedEvent, RightsChange, entries_of
from service.changes.event_batches import event_batches
from service.database.change_streams import ChangesLostError, ClusterTime
from service.database.client import Database
from service.errors import GoneError

TOO_MANY = "More has changed since then than can be gone through; leave the token out, and get the models anew."
LOST = "The changes since then are no longer kept; leave the token out, and get the models anew."
NOT_THERE = "The database has not come to the place of this token yet; leave the token out, and get the models anew."
# The latest entries are kept: so many, with so many principals in them.
MAX_KEPT, MAX_KEPT_PRINCIPALS = 10_000, 100_000
# The most that somebody can have missed.
MAX_MISSED, MAX_MISSED_PRINCIPALS = 10_000, 100_000
# Takes a place for reading from the database, during a block; raises UnavailableError when there is none.
TakePlace = Callable[[], AbstractContextManager[None]]


def _weight(entry: Entry) -> int:
    if isinstance(entry, RightsChange):
        return 1
    return sum(len(side.readers) for side in (entry.before, entry.after) if side is not None)


class Missed:
    """The latest entries, and those before them as long as the database has them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.begin(FeedPosition(0, 0, 0))

    def begin(self, position: FeedPosition) -> None:
        """Keep the entries from this position on, and forget others."""
        self._begin = position
        self._kept: deque[Entry] = deque()
        self._weight = 0

    def keep(self, entry: Entry) -> None:
        """Keep the next entry, for a while."""
        self._kept.append(entry)
        self._weight += _weight(entry)
        while len(self._kept) > MAX_KEPT or self._weight > MAX_KEPT_PRINCIPALS:
            dropped = self._kept.popleft()
            self._weight -= _weight(dropped)
            self._begin = dropped.position

    async def entries(self, after: FeedPosition, until: ClusterTime, place: TakePlace) -> Sequence[Entry]:
        """Return the entries after a position until a moment, to which those that are kept must have come.

        Raises GoneError when they are no longer there, or too many, and UnavailableError without a place to read.
        """
        if after.moment > until:
            raise GoneError(NOT_THERE)
        if after >= self._begin:
            found: Sequence[Entry] = self._kept
        else:
            with place():
                found = await self._read(after.moment, until)
        return [entry for entry in found if after < entry.position <= FeedPosition.after(until)]

    async def _read(self, since: ClusterTime, until: ClusterTime) -> Sequence[Entry]:
        numbered: list[NumberedEvent] = []
        principals = 0
        # Closed at once, so that nothing is read any more.
        async with aclosing(event_batches(self._database, since)) as batches:
            try:
                async for events, complete in batches:
                    numbered += events
                    # Before more is in memory: many changes of widely shared models can be gigabytes.
                    principals += sum(_named_in(event) for _, event in events)
                    if len(numbered) > MAX_MISSED or principals > MAX_MISSED_PRINCIPALS:
                        raise GoneError(TOO_MANY)
                    if (complete or _BEGINNING) >= until or (numbered and numbered[-1][0].moment > until):
                        break
            except ChangesLostError:
                raise GoneError(LOST) from None
        entries = await entries_of(self._database, numbered)
        if sum(map(_weight, entries)) > MAX_MISSED_PRINCIPALS:
            raise GoneError(TOO_MANY)
        return entries


def _named_in(event: Mapping[str, Any]) -> int:
    """Return how many grants an event holds."""
    revision = event.get("fullDocument") or {}
    sides = [side for side in (revision.get("before"), revision.get("after")) if isinstance(side, Mapping)]
    return sum(len(grants) for side in sides if isinstance(grants := side.get("access_grants"), list))


_BEGINNING = ClusterTime(0, 0)
