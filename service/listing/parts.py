"""The parts of a page: what the list continues with where the part before has ended."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from bson.min_key import MinKey

from service.auth.access_rule import Match
from service.database.exact_bson import Record
from service.listing.keyset import after, after_stray_id, from_key, strays
from service.listing.matches import all_of
from service.listing.params import ListParams, SortField
from service.listing.position import Position, sort_key
from service.models.item import PART

_SORT_FIELDS = {
    **{"name": "keys.name", "created_at": "created_at", "updated_at": "updated_at"},
    "relevance": "keys.name",
}


def sort_field(order_by: SortField) -> str:
    """Return the stored field of an order."""
    return _SORT_FIELDS[order_by]


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by a stored field and then by id.

    With `first`, the records whose field begins with this text are a group of their own, before all others.
    """

    field: str
    ascending: bool
    first: str | None = None

    @property
    def groups(self) -> Sequence[Match]:
        """What matches the records of each group, in their order."""
        if self.first is None:
            return ({},)
        begins = {"$regex": f"^{re.escape(self.first)}"}
        return {self.field: begins}, {self.field: {"$not": begins}}

    def group_of(self, key: Any) -> int:
        """Return the group of a record with this sort key."""
        return 0 if self.first is None or key.startswith(self.first) else 1

    @property
    def sort(self) -> dict[str, int]:
        """The specification of this order for the server."""
        direction = 1 if self.ascending else -1
        return {self.field: direction, "_id": direction}


def order_of(params: ListParams, terms: Sequence[str]) -> Order:
    """Return the order that a request asks for; `terms` are those of its search."""
    field = sort_field(params.order_by)
    return Order(field, params.ascending, terms[0] if params.order_by == "relevance" else None)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page: the records of the list that also match `match`, in its order, from `start` on.

    Two more conditions do not change what is found, but how: `with_principals` is for a list that matches principals,
    `without_principals` for one that does not.
    """

    match: Match
    start: Position
    with_principals: Match = dataclasses.field(default_factory=dict)
    without_principals: Match = dataclasses.field(default_factory=dict)


def page_parts(order: Order, position: Position) -> list[Part]:
    """Return the parts of a page that begins at a position; each begins where the one before has ended."""
    group, *others = order.groups[position.group :]
    later = [_whole(order, other, Position(number)) for number, other in enumerate(others, position.group + 1)]
    return [*_parts_of_first(order, group, position), *later]


def _parts_of_first(order: Order, group: Match, position: Position) -> list[Part]:
    stray = all_of(group, strays(order.field, ascending=order.ascending))
    if position.strays:
        return [Part(stray, position)]
    if position.key is None:
        return [_whole(order, group, position)]
    value, after_id = position.key
    following = after(order.field, value, after_id, ascending=order.ascending)
    # Without principals, this range alone would be another plan, which reads all records with the same sort key.
    beginning = from_key(order.field, value, ascending=order.ascending)
    end = Part(stray, Position(position.group, strays=True))
    return [Part(all_of(group, following), position, with_principals=beginning), end]


def _whole(order: Order, group: Match, start: Position) -> Part:
    # An open range makes the server apply the other filters to the index keys instead of fetching each record. With
    # principals in the match, the server does so anyway.
    return Part(group, start, without_principals={order.field: {"$gte": MinKey()}})


def next_position(order: Order, position: Position, shown: Sequence[Record]) -> Position:
    """Return where a list goes on after the records of a page, at least one, that begins at `position`."""
    last = shown[-1]
    number = last.get(PART, 0)
    start = page_parts(order, position)[number].start
    key: Any = sort_key(last, order.field)
    if not start.strays and key is not None:
        record_id = last["_id"]
        after_id = record_id if isinstance(record_id, str) else after_stray_id(record_id, ascending=order.ascending)
        return Position(start.group, key=(key, after_id))
    if position.key is None and not position.strays:
        return replace(position, skip=position.skip + len(shown))
    return replace(start, skip=start.skip + sum(record.get(PART, 0) == number for record in shown))
