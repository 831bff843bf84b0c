"""Pages of a search in a large list: from the first of its records if they suffice, else from index keys alone."""

from collections.abc import Callable, Sequence

from documents import ModelRecord
from service.auth.authentication import Caller
from service.database.exact_bson import Record
from service.listing.counting import counts_apart
from service.listing.params import ListFilter, ListParams
from service.listing.parts import Order, Part, page_parts
from service.listing.pipeline import KEYS_OF_A_RECORD, Resolved, Stages, filter_match, in_order, list_match
from service.listing.position import Position
from service.listing.rows import found_by_rows, rows_narrow


def is_searched_by_rows(params: ListParams, caller: Caller, resolved: Resolved) -> bool:
    """Return whether a list is so large that its index keys are better read than many of its records."""
    return rows_narrow(params, caller, resolved) and counts_apart(params, caller, resolved)


def among_first(params: ListParams, caller: Caller, resolved: Resolved, order: Order) -> Callable[[Part], Stages]:
    """Return what makes the stages that yield a part of a page, if it is among the first records of the list.

    They read so many records as cost half as much as all rows. When there are more, the last one that they yield has
    no id, and stands for all that might follow; see `suffices`.
    """
    most = max(1, int(resolved.visible_to(caller) / KEYS_OF_A_RECORD / 2))
    # The index of the order holds these.
    before = ListFilter(view_option=params.view_option, kind=params.kind, is_active=params.is_active)
    after = filter_match(params, resolved.without_narrowing)

    def records_of(part: Part) -> Stages:
        listed = in_order(list_match(before, caller, resolved), order)(part)
        another = [*listed, {"$skip": most}, {"$limit": 1}, {"$project": {"_id": 0, "is_active": 1}}]
        following = {"coll": ModelRecord.Settings.name, "pipeline": another}
        return [*listed, {"$limit": most}, {"$match": after}, {"$unionWith": following}]

    return records_of


def can_suffice(order: Order, position: Position) -> bool:
    """Return whether `suffices` can be told of a page that begins there."""
    return position.skip == 0 or len(page_parts(order, position)) == 1


def suffices(found: Sequence[Record], position: Position, page_size: int) -> bool:
    """Return whether what `among_first` has found is the page."""
    # The record without an id is not seen when it is skipped.
    return all("_id" in record for record in found) and (position.skip == 0 or len(found) > page_size)


def by_rows(params: ListParams, caller: Caller, resolved: Resolved, order: Order) -> Callable[[Part], Stages]:
    """Return what makes the stages that yield a part of a page, found by the rows."""
    return lambda part: [*found_by_rows(params, caller, resolved, part.match), {"$sort": order.sort}]
