"""The parts of a page: what the list continues with where the part before has ended."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from bson.min_key import MinKey

from service.auth.access_rule import Match
from service.database.exact_bson import Record
from service.listing.keyset import after, after_stray_id, from_key, strays
from service.listing.params import SortField
from service.listing.position import Position, sort_key
from service.models.item import PART

Direction = Literal["asc", "desc"]
_SORT_FIELDS = {"name": "keys.name", "created_at": "created_at", "updated_at": "updated_at"}


def sort_field(order_by: SortField) -> str:
    """Return the stored field of an order."""
    return _SORT_FIELDS[order_by]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page: the records of the list that also match `match`, in the order of `field`, from `start` on.

    Two more conditions do not change what is found, but how: `with_principals` is for a list that matches principals,
    `without_principals` for one that does not.
    """

    match: Match
    field: str
    ascending: bool
    start: Position
    with_principals: Match
    without_principals: Match


def page_parts(order_by: SortField, direction: Direction, position: Position) -> list[Part]:
    """Return the parts of a page that begins at a position; each begins where the one before has ended."""
    field, ascending = sort_field(order_by), direction == "asc"

    def part(match: Match, start: Position, with_principals: Match, without_principals: Match) -> Part:
        return Part(match, field, ascending, start, with_principals, without_principals)

    stray = strays(field, ascending=ascending)
    if position.strays:
        return [part(stray, position, {}, {})]
    if position.key is None:
        # An open range makes the server apply the other filters to the index keys instead of fetching each record.
        # With principals in the match, the server does so anyway.
        return [part({}, position, {}, {field: {"$gte": MinKey()}})]
    value, after_id = position.key
    # Without principals, this range alone would be another plan, which reads all records with the same sort key.
    beginning = from_key(field, value, ascending=ascending)
    following = after(field, value, after_id, ascending=ascending)
    return [part(following, position, beginning, {}), part(stray, Position(strays=True), {}, {})]


def next_position(order_by: SortField, direction: Direction, position: Position, shown: list[Record]) -> Position:
    """Return where a list goes on after the records of a page, at least one, that begins at `position`."""
    last = shown[-1]
    parts = page_parts(order_by, direction, position)
    number = last.get(PART, 0)
    part = parts[number]
    from_part = sum(record.get(PART, 0) == number for record in shown)
    key: Any = sort_key(last, part.field)
    if part.start.strays or key is None:
        return replace(part.start, skip=part.start.skip + from_part)
    record_id = last["_id"]
    after_id = record_id if isinstance(record_id, str) else after_stray_id(record_id, ascending=part.ascending)
    return Position(key=(key, after_id))
