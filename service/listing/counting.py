"""How many models a list has: what to count, so that index keys alone answer it where that is cheaper."""

import re

from bson.min_key import MinKey

from documents import ModelRecord
from documents.folding import fold
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.listing.matches import all_of
from service.listing.params import ListFilter
from service.listing.pipeline import Resolved, Stages, finds_few, list_match, unsearched_match

# With more, planning would take longer than reading the records that most callers can.
MAX_PRINCIPALS = 100
# A call of its own costs about as much as so many index keys.
KEYS_OF_A_CALL = 10_000
# To read a record costs about as much as so many index keys.
KEYS_OF_A_RECORD = 6

_ALL = {"$gte": MinKey()}
# Records of an earlier version, and those with rows that would be too large. They are few or none.
_WITHOUT_ROWS: Match = {"keys.rows": {"$in": [False, None]}}


def count_pipelines(selected: ListFilter, caller: Caller, resolved: Resolved) -> list[Stages]:
    """Return pipelines on `models` of which each yields `{total}`, or nothing instead of 0; the sum counts the list.

    Several are meant to run at the same time.
    """
    match = list_match(selected, caller, resolved)
    if not match:
        # Without a condition the server would read the records. No index has smaller keys.
        return [_counted({"keys.rows": _ALL})]
    if finds_few(selected, resolved):
        return [_counted_among({"keys.grams": {"$all": list(resolved.narrowing)}}, match)]
    if not _keys_pay(selected, caller, resolved):
        return [_counted(match)]
    if not caller.is_admin:
        rows = access_rule.readable_rows(caller, _row_conditions(selected, resolved))
        with_rows = all_of({"$or": rows}, unsearched_match(selected, caller))
        return [[*_counted(with_rows), *_added(_counted_among(_WITHOUT_ROWS, match))]]
    # The index `all_by_created` holds what is searched. The trigrams would make the server read records.
    searched = list_match(selected, caller, resolved.without_narrowing)
    middle = resolved.statistics.middle
    if middle is None or not counts_apart(selected, caller, resolved):
        return [_counted(all_of({"created_at": _ALL}, searched))]
    # A time of creation never changes, so that none is counted twice.
    later = {"$gte": middle}
    return [_counted(all_of({"created_at": half}, searched)) for half in ({"$not": later}, later)]


def _counted(match: Match) -> Stages:
    return [{"$match": match}, {"$count": "total"}]


def _counted_among(few: Match, match: Match) -> Stages:
    """Return the pipeline that counts which of the records that `few` matches, on an index, match too."""
    # Across the limit the server does not look for another index, and so can't choose a worse one.
    return [{"$match": few}, {"$limit": 2**62}, *_counted(match)]


def _added(counted: Stages) -> Stages:
    """Return the stages that add to a total what `counted` yields."""
    return [
        {"$unionWith": {"coll": ModelRecord.Settings.name, "pipeline": counted}},
        {"$group": {"_id": None, "total": {"$sum": "$total"}}},
        {"$project": {"_id": 0}},
    ]


def counts_apart(selected: ListFilter, caller: Caller, resolved: Resolved) -> bool:
    """Return whether counting may take so long that it is worth a call of its own, at the same time as the page."""
    if selected.id or selected.view_option == "created" or finds_few(selected, resolved):
        return False
    return visible_records(caller, resolved) > KEYS_OF_A_CALL


def visible_records(caller: Caller, resolved: Resolved) -> float:
    """Return how many records the caller may read, about."""
    return resolved.statistics.records * _visible_share(caller, resolved)


def _visible_share(caller: Caller, resolved: Resolved) -> float:
    return 1.0 if caller.is_admin else resolved.statistics.visible_share(caller.principals)


def _row_conditions(selected: ListFilter, resolved: Resolved) -> list[Match]:
    # The words stand before the two NULs, the tags behind them, each followed by one. Where a word occurs first among
    # the tags, none of its other places is tried: with long tags, that would take seconds for one record.
    words = [rf"{re.escape(term)}(*COMMIT)(?=.*\x00\x00)" for term in resolved.terms]
    # No group is repeated: the server would give up after some thousand tags, and find nothing.
    tags = [rf"\x00\x00(?:.*\x00)?{re.escape(tag)}\x00" for tag in dict.fromkeys(map(fold, selected.tag))]
    return [{"$regex": row, "$options": "s"} for row in (*words, *tags)]


def _keys_pay(selected: ListFilter, caller: Caller, resolved: Resolved) -> bool:
    """Return whether index keys tell what the filter finds, and to scan them is cheaper than to read records."""
    if selected.view_option == "created" or selected.searched_in is not None:
        return False
    selective = (
        *(selected.id, selected.owner, selected.group, selected.base_model_id, selected.capability),
        *(selected.created_since, selected.updated_since),
    )
    if any(value not in (None, []) for value in selective):
        return False
    if caller.is_admin:
        # Tags are not in the index that holds what is searched, and alone are counted on index keys already. So are
        # base models and inactive models, which are few.
        most = selected.is_active is not False and selected.kind != "base"
        possible = not selected.tag and (bool(resolved.terms) or most)
    else:
        possible = bool(resolved.terms or selected.tag) and len(caller.principals) <= MAX_PRINCIPALS
    found = resolved.statistics.share_with("grams", resolved.narrowing)
    tagged = resolved.statistics.share_with("tags", [fold(tag) for tag in selected.tag])
    return possible and _visible_share(caller, resolved) <= KEYS_OF_A_RECORD * min(found, tagged)
