"""Searches in descriptions by scans of all models, on an index whose keys hold what is searched."""

import re

from bson.min_key import MinKey

from documents import ModelRecord
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.listing.matches import all_of
from service.listing.params import ListFilter
from service.listing.pipeline import Resolved, Stages, list_match, selects_only
from service.listing.rows import among

SCANNED = "described"
# Records of which the index does not hold the description. They are few or none.
_UNDESCRIBED: Match = {"keys.described": None}
_ALL = {"$gte": MinKey()}


def scan_tells(selected: ListFilter, resolved: Resolved) -> bool:
    """Return whether keys tell all that an admin's search in descriptions asks for, and no other index finds less."""
    # An admin's own models and inactive models are few.
    if not resolved.terms or selected.view_option == "created" or selected.is_active is False:
        return False
    return selects_only(selected, "query", "searched_in", "is_active", "view_option")


def scan_matches(selected: ListFilter, caller: Caller, resolved: Resolved, *, halved: bool) -> list[Match]:
    """Return match fragments of the models that a search in descriptions finds, for an admin; it must have a word.

    Each is one scan; with `halved` there are two for half of the models each, to run at the same time.
    """
    required: list[Match] = [{"keys.described": {"$regex": re.escape(term)}} for term in resolved.terms]
    if selected.is_active is not None:
        required.append({"is_active": selected.is_active})
    if selected.view_option == "shared":
        required.append({"user_id": {"$ne": caller.user_id}})
    return [all_of({"created_at": created}, *required) for created in (resolved.halves if halved else [_ALL])]


def unscanned(selected: ListFilter, caller: Caller, resolved: Resolved) -> Stages:
    """Return the stages on `models` that yield those records of a list that no scan finds."""
    return among(_UNDESCRIBED, list_match(selected, caller, resolved))


def found_by_scans(selected: ListFilter, caller: Caller, resolved: Resolved) -> list[Stages]:
    """Return pipelines on `models` that together yield the records of a list, in no order, each once.

    They are meant to run at the same time, and must use the index `SCANNED`.
    """
    halved = resolved.statistics.middle is not None
    match = list_match(selected, caller, resolved)
    first, *others = (among(scanned, match) for scanned in scan_matches(selected, caller, resolved, halved=halved))
    rest = {"coll": ModelRecord.Settings.name, "pipeline": unscanned(selected, caller, resolved)}
    return [[*first, {"$unionWith": rest}], *others]
