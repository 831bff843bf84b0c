"""How many models a list has: what to count, so that index keys alone answer it where that is cheaper."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from bson.datetime_ms import DatetimeMS
from bson.min_key import MinKey

from documents import ModelRecord
from documents.folding import fold
from indexes.indexes import all_by
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.listing.matches import all_of
from service.listing.params import ListFilter
from service.listing.pipeline import Resolved, Stages, finds_few, list_match, selects_only, unsearched_match
from service.listing.rows import WITHOUT_ROWS, among, rows_match, rows_narrow
from service.listing.scans import SCANNED, scan_matches, scan_tells, unscanned

# A call of its own costs about as much as so many index keys.
KEYS_OF_A_CALL = 10_000

# To compare an id with those of another tag costs about as much as so many index keys.
KEYS_OF_AN_ID = 2
# To read a record by its id, one after the other.
KEYS_OF_A_READ_ID = 60

_MODELS = ModelRecord.Settings.name
_ALL = {"$gte": MinKey()}
# Others begin with the time of creation too.
_ORDERED = all_by("created_at")
_EARLIEST = DatetimeMS(-(2**63))
_TOTAL: Stages = [{"$count": "total"}]


class Counts(NamedTuple):
    """Pipelines on `models` of which each yields `{total}`, or nothing instead of 0; the sum counts a list.

    Several are meant to run at the same time. In a call of its own, each must use the index `hint`, if there is one:
    between an index that answers from its keys and one that does not, the server may choose the other.
    """

    pipelines: Sequence[Stages]
    hint: str | None = None


def counts(selected: ListFilter, caller: Caller, resolved: Resolved) -> Counts:
    """Return what counts the models that a filter selects for a caller."""
    match = list_match(selected, caller, resolved)
    if _is_of_everything(selected, caller):
        halved = _is_halved(selected, caller, resolved)
        return Counts(_counts_of_everything(selected, caller, resolved), _ORDERED if halved else None)
    if _is_by_capability(selected, caller):
        return Counts([_counted_by_lines(selected, caller, resolved)])
    if finds_few(selected, resolved):
        return Counts([[*among({"keys.grams": {"$all": list(resolved.narrowing)}}, match), *_TOTAL]])
    if _is_of_base_models(selected, caller):
        return Counts([_counted(list_match(selected, caller, resolved.without_narrowing))], "without_base")
    if not keys_pay(selected, caller, resolved):
        return Counts([_counted(match)])
    return _counts_on_keys(selected, caller, resolved)


def _counts_on_keys(selected: ListFilter, caller: Caller, resolved: Resolved) -> Counts:
    if not caller.is_admin:
        return Counts([_counted_by_rows(selected, caller, resolved)])
    if selected.searched_in is not None:
        return Counts(_counted_by_scans(selected, caller, resolved), SCANNED)
    halves = resolved.halves if _is_halved(selected, caller, resolved) else [None]
    pipelines = [_of_all(selected, caller, resolved, half) for half in halves]
    return Counts(pipelines, None if selected.tag else _ORDERED)


def _is_of_base_models(selected: ListFilter, caller: Caller) -> bool:
    """Return whether an admin's filter selects base models, and by nothing but what `without_base` holds."""
    if not caller.is_admin or selected.kind != "base" or selected.view_option == "created" or selected.searched_in:
        return False
    return selects_only(selected, "kind", "is_active", "view_option", "query")


def _is_of_everything(selected: ListFilter, caller: Caller) -> bool:
    """Return whether an admin's filter selects all models, or all but the admin's own."""
    return caller.is_admin and selected.view_option != "created" and selects_only(selected, "view_option")


def _counts_of_everything(selected: ListFilter, caller: Caller, resolved: Resolved) -> list[Stages]:
    # To count a range of keys takes half as long as to compare the owner in each.
    own: Stages = []
    if selected.view_option == "shared":
        negative = {"$project": {"_id": 0, "total": {"$multiply": ["$total", -1]}}}
        own = _added([*_counted({"user_id": caller.user_id}), negative])
    if not _is_halved(selected, caller, resolved):
        # Without a condition the server would read the records. No index has smaller keys.
        return [[*_counted({"keys.rows": _ALL}), *own]]
    middle = resolved.statistics.middle
    # Each is one range of `all_by_created`, but for what is no time, which is rare.
    no_time = _added(_counted({"created_at": {"$not": {"$gte": _EARLIEST}}}))
    return [[*_counted({"created_at": {"$lt": middle}}), *no_time, *own], _counted({"created_at": {"$gte": middle}})]


def _counted_by_rows(selected: ListFilter, caller: Caller, resolved: Resolved) -> Stages:
    whole = list_match(selected, caller, resolved)
    rows, rest = rows_match(selected, caller, resolved), unsearched_match(selected, caller, resolved)
    # The rows hold nothing of the rest, for which the server might choose another index.
    with_rows = [*among(rows, rest), *_TOTAL] if rest else _counted(rows)
    return [*with_rows, *_added([*among(WITHOUT_ROWS, whole), *_TOTAL])]


def _counted_by_scans(selected: ListFilter, caller: Caller, resolved: Resolved) -> list[Stages]:
    halved = _is_halved(selected, caller, resolved)
    first, *others = map(_counted, scan_matches(selected, caller, resolved, halved=halved))
    return [[*first, *_added([*unscanned(selected, caller, resolved), *_TOTAL])], *others]


def _of_all(selected: ListFilter, caller: Caller, resolved: Resolved, created: Match | None) -> Stages:
    """Return the pipeline that counts for an admin those models of a list that were created in a range, or all."""
    untagged = list_match(selected.model_copy(update={"tag": []}), caller, resolved.without_narrowing)
    if not selected.tag:
        # The index `all_by_created` holds what is searched. The trigrams would make the server read records.
        return _counted(all_of({"created_at": created or _ALL}, untagged))
    # The index `tagged_by_created` holds the ids of the models of one tag, no index those of several.
    tagged: list[Match] = [
        {"keys.tags": tag, **({"created_at": created} if created else {})} for tag in _tags(selected)
    ]
    return [*_ids_of_all(tagged), *(_read_and_matched(untagged) if untagged else []), *_TOTAL]


def _ids_of_all(conditions: Sequence[Match]) -> Stages:
    """Return the stages that yield the ids of the records that meet all conditions, each answered by an index."""
    first, *others = ([{"$match": condition}, {"$project": {"_id": 1}}] for condition in conditions)
    return [
        *first,
        *({"$unionWith": {"coll": _MODELS, "pipeline": other}} for other in others),
        {"$group": {"_id": "$_id", "met": {"$sum": 1}}},
        {"$match": {"met": len(conditions)}},
    ]


def _read_and_matched(match: Match) -> Stages:
    """Return the stages that read the records with the ids before them, and keep those that match."""
    return [
        {"$lookup": {"from": _MODELS, "localField": "_id", "foreignField": "_id", "as": "read"}},
        {"$unwind": "$read"},
        {"$replaceWith": "$read"},
        {"$match": match},
    ]


def _tags(selected: ListFilter) -> list[str]:
    return list(dict.fromkeys(map(fold, selected.tag)))


def _counted(match: Match) -> Stages:
    return [{"$match": match}, *_TOTAL]


def _is_by_capability(selected: ListFilter, caller: Caller) -> bool:
    """Return whether a filter selects by capabilities, and else by nothing but what `readable_facets` holds too."""
    if caller.is_admin or not selected.capability or selected.view_option == "created":
        return False
    return selects_only(selected, "capability", "is_active", "view_option")


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
        {"$unionWith": {"coll": _MODELS, "pipeline": counted}},
        {"$group": {"_id": None, "total": {"$sum": "$total"}}},
        {"$project": {"_id": 0}},
    ]


def counts_apart(selected: ListFilter, caller: Caller, resolved: Resolved) -> bool:
    """Return whether counting may take so long that it is worth a call of its own, at the same time as the page."""
    if selected.id or selected.view_option == "created" or finds_few(selected, resolved):
        return False
    return resolved.visible_to(caller) > KEYS_OF_A_CALL


def _is_halved(selected: ListFilter, caller: Caller, resolved: Resolved) -> bool:
    """Return whether an admin's count is two, which run at the same time."""
    return resolved.statistics.middle is not None and counts_apart(selected, caller, resolved)


def keys_pay(selected: ListFilter, caller: Caller, resolved: Resolved) -> bool:
    """Return whether index keys tell what the filter finds, and to scan them is cheaper than to read records."""
    if selected.view_option == "created" or (selected.searched_in is not None and not caller.is_admin):
        return False
    selective = (
        *(selected.id, selected.owner, selected.group, selected.base_model_id),
        *(selected.created_since, selected.updated_since),
    )
    if any(value not in (None, []) for value in selective):
        return False
    possible = _admin_keys_tell(selected, resolved) if caller.is_admin else rows_narrow(selected, caller, resolved)
    if not possible:
        return False
    scanned = _share_scanned(selected, caller, resolved)
    return scanned <= resolved.keys_of_a_record * resolved.candidates_share(selected)


def _admin_keys_tell(selected: ListFilter, resolved: Resolved) -> bool:
    """Return whether keys can tell what an admin's filter finds, and the server would not choose such by itself."""
    if selected.searched_in is not None:
        return scan_tells(selected, resolved)
    # One tag alone is counted on index keys already, and so are base models and inactive models, which are few.
    if selected.tag:
        return len(_tags(selected)) > 1
    if selected.capability:
        return False
    return bool(resolved.terms) or (selected.is_active is not False and selected.kind != "base")


def _share_scanned(selected: ListFilter, caller: Caller, resolved: Resolved) -> float:
    """Return how long counting on index keys takes, as the share of the records whose keys could be scanned then."""
    if not caller.is_admin:
        rest = unsearched_match(selected, caller, resolved)
        read = resolved.keys_of_a_record * resolved.found_share(selected) if rest else 0.0
        return resolved.visible_share(caller) * (1 + read)
    scanned = 1.0
    if tags := _tags(selected):
        scanned = KEYS_OF_AN_ID * sum(resolved.statistics.share_with("tags", [tag]) for tag in tags)
        if not selects_only(selected, "tag"):
            scanned += KEYS_OF_A_READ_ID * resolved.statistics.found_share((), tags, ())
    return scanned / 2 if _is_halved(selected, caller, resolved) else scanned
