"""What a search rarely finds in a long list: all ids by two scans of index keys at the same time, then a page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from service.auth.authentication import Caller
from service.database.exact_bson import Record
from service.listing.counting import counts_apart
from service.listing.large_lists import is_searched_by_rows, may_suffice
from service.listing.params import ListParams
from service.listing.parts import Order
from service.listing.pipeline import Resolved, Stages
from service.listing.position import Position, milliseconds, sort_key
from service.listing.rows import found_by_halves
from service.listing.scans import SCANNED, found_by_scans, scan_tells

# More are found and sorted by the server: to send and sort so many ids takes 20 ms.
MAX_FINDS = 10_000
# A sample may lead to expect fewer than there are.
CAUTION = 0.5


Place = tuple[int, Any, str]


def are_rare(params: ListParams, caller: Caller, resolved: Resolved, position: Position) -> bool:
    """Return whether a page is expected to be found soonest by the ids of all that the list has."""
    if not _is_told_by_places(position):
        return False
    if params.searched_in is not None:
        # What a scan finds is read before it is known who may read it: others would learn from the time how much it is.
        likely = caller.is_admin and scan_tells(params, resolved) and counts_apart(params, caller, resolved)
        return likely and _scans_find_sooner(params, resolved, position)
    if not is_searched_by_rows(params, caller, resolved) or may_suffice(params, caller, resolved, position):
        return False
    return resolved.visible_to(caller) * resolved.found_share(params) <= CAUTION * MAX_FINDS


def _is_told_by_places(position: Position) -> bool:
    """Return whether proper sort keys and ids tell what follows a position."""
    if position.strays:
        return False
    return position.key is None or (isinstance(position.key[1], str) and not position.skip)


def _scans_find_sooner(params: ListParams, resolved: Resolved, position: Position) -> bool:
    """Return whether scans of all models find an admin's page sooner than reading the models in its order."""
    records, found, cost = resolved.statistics.records, resolved.found_share(params), resolved.keys_of_a_record
    until_full = (position.skip + params.page_size) / found if found else records
    # Two scans at the same time.
    sooner = cost * min(records, until_full) > records * (1 + cost * found) / 2
    return sooner and records * found <= CAUTION * MAX_FINDS


def find_pipelines(
    params: ListParams, caller: Caller, resolved: Resolved, order: Order
) -> tuple[list[Stages], str | None]:
    """Return pipelines on `models` that together yield what orders each record of a list, and their index; see `Finds`.

    They are meant to run at the same time.
    """
    by_scans = params.searched_in is not None
    found = (found_by_scans if by_scans else found_by_halves)(params, caller, resolved)
    needed: Stages = [{"$limit": MAX_FINDS + 1}, {"$project": {"_id": 1, order.field: 1}}]
    return [[*pipeline, *needed] for pipeline in found], SCANNED if by_scans else None


@dataclass(frozen=True, slots=True)
class Finds:
    """All records of a list, in its order: the group, the sort key and the id of each."""

    order: Order
    places: Sequence[Place]

    @classmethod
    def of(cls, order: Order, yielded: Iterable[Record]) -> Self | None:
        """Return what the pipelines have yielded in order; None if it is too much, or only the server can order it."""
        found: dict[str, Place] = {}
        for record in yielded:
            place = _place(order, record)
            if place is None:
                return None
            found[place[2]] = place
        if len(found) > MAX_FINDS:
            return None
        places = sorted(found.values(), key=lambda place: place[1:], reverse=not order.ascending)
        return cls(order, sorted(places, key=lambda place: place[0]))

    @property
    def total(self) -> int:
        """How many records the list has."""
        return len(self.places)

    def following(self, position: Position, number: int) -> list[Place]:
        """Return up to `number` places from a position on, of those that `are_rare` admits."""
        places = [place for place in self.places if place[0] >= position.group]
        if position.key is not None:
            value, after_id = position.key
            last = _comparable(value), after_id
            places = [place for place in places if place[0] > position.group or self._is_after(place[1:], last)]
        return places[position.skip : position.skip + number]

    def are_unchanged(self, places: Sequence[Place], records: Iterable[Record]) -> bool:
        """Return whether the records that were read for some places are those, and still in these places."""
        return [_place(self.order, record) for record in records] == places

    def _is_after(self, place: tuple[Any, str], last: tuple[Any, Any]) -> bool:
        return place > last if self.order.ascending else place < last


def _place(order: Order, record: Record) -> Place | None:
    """Return the place of a record; None where it was written past the service with a key or id of another type."""
    record_id, key = record["_id"], _comparable(sort_key(record, order.field))
    if not isinstance(record_id, str) or key is None:
        return None
    return order.group_of(key), key, record_id


def _comparable(key: Any) -> Any:
    """Return a sort key so that Python orders it as the server does: text by its code points, times as numbers."""
    return key if key is None or isinstance(key, str) else milliseconds(key)
