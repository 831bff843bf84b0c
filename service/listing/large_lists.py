"""Pages of a search in a long list: from the first of its records if they suffice, else from index keys alone."""

from collections.abc import Callable, Sequence

from service.auth.authentication import Caller
from service.database.exact_bson import Record
from service.listing.counting import counts_apart
from service.listing.params import ListFilter, ListParams
from service.listing.parts import Order, Part, page_parts
from service.listing.pipeline import Resolved, Stages, filter_match, finds_few, in_order, list_match
from service.listing.position import Position
from service.listing.rows import found_by_rows, rows_narrow
from service.models.item import PART

# The first records may hold less of what is found than a sample lets expect.
CAUTION = 0.75
# To find a page by rows costs as much as so many index keys before the first is read.
KEYS_OF_ROWS = 2_000


def is_searched_by_rows(params: ListParams, caller: Caller, resolved: Resolved) -> bool:
    """Return whether a list is so large that its index keys are better read than many of its records."""
    return rows_narrow(params, caller, resolved) and counts_apart(params, caller, resolved)


def rows_find_sooner(params: ListParams, caller: Caller, resolved: Resolved, position: Position) -> bool:
    """Return whether a page of a list that is not that large is sooner found by all rows than by reading records.

    A sample tells how many records are found, and so how many have to be read until the page is full.
    """
    if not rows_narrow(params, caller, resolved) or finds_few(params, resolved):
        return False
    visible, found = resolved.visible_to(caller), resolved.found_share(params)
    until_full = (position.skip + params.page_size) / found if found else visible
    candidates = resolved.statistics.records * resolved.candidates_share(params)
    cost = resolved.keys_of_a_record
    return cost * min(visible, until_full, candidates) > visible * (1 + cost * found) + KEYS_OF_ROWS


def among_first(params: ListParams, caller: Caller, resolved: Resolved, order: Order) -> Callable[[Part], Stages]:
    """Return what makes the stages that yield a part of a page, if it is among the first records of the list.

    Of the last group of the order, they read at most `_tried` records: what they yield may end too early, see
    `suffices`.
    """
    most = max(1, _tried(caller, resolved))
    # The index of the order holds these.
    before = ListFilter(view_option=params.view_option, kind=params.kind, is_active=params.is_active)
    after: Stages = [{"$match": filter_match(params, resolved.without_narrowing)}]

    def records_of(part: Part) -> Stages:
        listed = in_order(list_match(before, caller, resolved), order)(part)
        return [*listed, *([{"$limit": most}] if _is_bounded(part, order) else []), *after]

    return records_of


def _tried(caller: Caller, resolved: Resolved) -> int:
    """Return how many records cost as much to read as all rows."""
    return int(resolved.visible_to(caller) / resolved.keys_of_a_record)


def may_suffice(params: ListParams, caller: Caller, resolved: Resolved, position: Position) -> bool:
    """Return whether `among_first` is expected to find the page, and so before it has read as much as all rows cost."""
    expected = CAUTION * _tried(caller, resolved) * resolved.found_share(params)
    return expected > position.skip + params.page_size


def _is_bounded(part: Part, order: Order) -> bool:
    return part.start.group == len(order.groups) - 1 and not part.start.strays


def suffices(found: Sequence[Record], order: Order, position: Position, page_size: int) -> bool:
    """Return whether what `among_first` has found is the page: it is full, and nothing is from behind an early end."""
    bounded = [_is_bounded(part, order) for part in page_parts(order, position)]
    end = bounded.index(True) if True in bounded else len(bounded)
    return len(found) > page_size and all(record.get(PART, 0) <= end for record in found)


def by_rows(params: ListParams, caller: Caller, resolved: Resolved, order: Order) -> Callable[[Part], Stages]:
    """Return what makes the stages that yield a part of a page, found by the rows."""
    return lambda part: [*found_by_rows(params, caller, resolved, part.match), {"$sort": order.sort}]
