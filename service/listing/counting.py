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
from service.listing.pipeline import KEYS_OF_A_RECORD, Resolved, Stages, finds_few, list_match, unsearched_match
from service.listing.rows import WITHOUT_ROWS, among, rows_match, rows_narrow

# A call of its own costs about as much as so many index keys.
KEYS_OF_A_CALL = 10_000

_ALL = {"$gte": MinKey()}
_TOTAL: Stages = [{"$count": "total"}]


def count_pipelines(selected: ListFilter, caller: Caller, resolved: Resolved) -> list[Stages]:
    """Return pipelines on `models` of which each yields `{total}`, or nothing instead of 0; the sum counts the list.

    Several are meant to run at the same time.
    """
    match = list_match(selected, caller, resolved)
    if not match:
        # Without a condition the server would read the records. No index has smaller keys.
        return [_counted({"keys.rows": _ALL})]
    if _is_by_capability(selected, caller):
        return [_counted_by_lines(selected, caller, resolved)]
    if finds_few(selected, resolved):
        return [[*among({"keys.grams": {"$all": list(resolved.narrowing)}}, match), *_TOTAL]]
    if not _keys_pay(selected, caller, resolved):
        return [_counted(match)]
    return _counted_on_keys(selected, caller, resolved)


def count_hint(selected: ListFilter, caller: Caller) -> str | None:
    """Return the name of the index that a count in a call of its own must use; None to leave the choice to the server.

    Between an index that answers from its keys and one that does not, the server may choose the other.
    """
    base_only = selected.kind == "base" and _selects_only(selected, "kind", "is_active", "view_option")
    return "without_base" if base_only and caller.is_admin and selected.view_option != "created" else None


def _counted_on_keys(selected: ListFilter, caller: Caller, resolved: Resolved) -> list[Stages]:
    if not caller.is_admin:
        match = list_match(selected, caller, resolved)
        with_rows = all_of(rows_match(selected, caller, resolved), unsearched_match(selected, caller, resolved))
        return [[*_counted(with_rows), *_added([*among(WITHOUT_ROWS, match), *_TOTAL])]]
    # The index `all_by_created` holds what is searched. The trigrams would make the server read records.
    searched = list_match(selected, caller, resolved.without_narrowing)
    middle = resolved.statistics.middle
    if middle is None or not counts_apart(selected, caller, resolved):
        return [_counted(all_of({"created_at": _ALL}, searched))]
    # A time of creation never changes, so that none is counted twice.
    later = {"$gte": middle}
    return [_counted(all_of({"created_at": half}, searched)) for half in ({"$not": later}, later)]


def _counted(match: Match) -> Stages:
    return [{"$match": match}, *_TOTAL]


def _is_by_capability(selected: ListFilter, caller: Caller) -> bool:
    """Return whether a filter selects by capabilities, and else by nothing but what `readable_facets` holds too."""
    if caller.is_admin or not selected.capability or selected.view_option == "created":
        return False
    return _selects_only(selected, "capability", "is_active", "view_option")


def _selects_only(selected: ListFilter, *names: str) -> bool:
    """Return whether a filter has no conditions but of these names."""
    return all(getattr(selected, name) in (None, []) for name in set(ListFilter.model_fields) - {*names})


def _counted_by_lines(selected: ListFilter, caller: Caller, resolved: Resolved) -> Stages:
    """Return the pipeline that counts by the lines of capabilities, of which few differ, in index keys."""
    others = list_match(selected.model_copy(update={"capability": []}), caller, resolved)
    # At the end nothing follows: `$` would also match before a line break that ends a name.
    entries = [{"$regex": rf"(?:^|\x00)c{re.escape(name)}(?:\x00|(?![\s\S]))"} for name in selected.capability]
    # Records of an earlier version, and those whose names can't be joined.
    without = {"keys.capability_line": None, **access_rule.readable(caller)}
    return [
        {"$match": others},
        {"$group": {"_id": "$keys.capability_line", "total": {"$sum": 1}}},
        {"$match": {"$and": [{"_id": entry} for entry in entries]}},
        *_added([*among(without, list_match(selected, caller, resolved)), *_TOTAL]),
    ]


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
    return resolved.visible_to(caller) > KEYS_OF_A_CALL


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
        possible = rows_narrow(selected, caller, resolved)
    found = resolved.statistics.share_with("grams", resolved.narrowing)
    tagged = resolved.statistics.share_with("tags", [fold(tag) for tag in selected.tag])
    visible = 1.0 if caller.is_admin else resolved.statistics.visible_share(caller.principals)
    return possible and visible <= KEYS_OF_A_RECORD * min(found, tagged)
