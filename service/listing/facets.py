"""Facets: how many of the models that a list selects have each value, the most frequent first."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from documents import ModelRecord, User
from documents.folding import fold
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.concurrently import together
from service.database.exact_bson import Record
from service.listing.facet_pipelines import SPELLING, UNKNOWN, facet_pipelines, facet_pipelines_of_records
from service.listing.params import FacetName, ListFilter, ListParams
from service.listing.pipeline import Resolved, list_match
from service.models.principals import EXISTING

# Where a facet counts more, a call for each field is faster than one for all.
KEYS_OF_A_CALL = 2_000
# A model has one value of these, so that their own filter is left out: it would leave one choice.
_WITHOUT_OWN: Mapping[str, Mapping[str, Any]] = {
    "owner": {"owner": []},
    "base_model_id": {"base_model_id": []},
    "kind": {"kind": None},
    "is_active": {"is_active": None},
}

Facet = list[dict[str, Any]]


async def facets(
    database: Database, caller: Caller, params: ListParams, resolved: Resolved, seconds: float
) -> dict[str, Facet]:
    """Return the facets that a request asks for, counted among the models that the caller may read."""
    wanted: defaultdict[str, list[FacetName]] = defaultdict(list)
    matches: dict[str, Match] = {}
    for name in params.wanted_facets:
        match = facet_match(name, params, caller, resolved)
        matches[repr(match)] = match
        wanted[repr(match)].append(name)
    found: Record = {}
    for key, names in wanted.items():
        apart = resolved.visible_to(caller) > KEYS_OF_A_CALL
        found |= await _counted(database, names, matches[key], seconds, apart=apart)
    shown: dict[str, Facet] = {}
    for name in params.wanted_facets:
        labels: Mapping[Any, str] = {}
        if name == "owner":
            labels = await _names(database, [one["_id"] for one in found[name]])
        elif name == "tag":
            labels = _spellings(found[SPELLING])
        shown[name] = [_rendered(one, labels) for one in found[name]]
    return shown


def facet_match(name: FacetName, selected: ListFilter, caller: Caller, resolved: Resolved) -> Match:
    """Return the match fragment of the models that a facet counts: those of the list, some without its own filter."""
    return list_match(selected.model_copy(update=_WITHOUT_OWN.get(name, {})), caller, resolved)


async def _counted(
    database: Database, names: Sequence[FacetName], match: Match, seconds: float, *, apart: bool
) -> Record:
    pipelines, hint = facet_pipelines(names, match, apart=apart)
    async with together() as group:
        running = [
            group.create_task(database.aggregate(ModelRecord, pipeline, hint=hint, seconds=seconds))
            for pipeline in pipelines
        ]
    found: Record = {}
    for counting in running:
        [counted] = counting.result()
        found |= counted
    unknown = [found.pop(name, None) for name in UNKNOWN.values()]
    if any(unknown):
        for pipeline in facet_pipelines_of_records(names, match):
            [counted] = await database.aggregate(ModelRecord, pipeline, seconds=seconds)
            found |= counted
    return found


async def _names(database: Database, user_ids: Sequence[str]) -> dict[Any, str]:
    users = await database.find(User, {"_id": {"$in": list(user_ids)}, **EXISTING}, fields=["name"])
    return {user["_id"]: user["name"] for user in users if isinstance(user.get("name"), str)}


def _spellings(counted: Sequence[Record]) -> dict[Any, str]:
    """Return for each folded tag how most of the models spell it."""
    spelled: dict[Any, str] = {}
    for one in counted:
        spelled.setdefault(fold(one["_id"]), one["_id"])
    return spelled


def _rendered(counted: Record, labels: Mapping[Any, str]) -> dict[str, Any]:
    value = counted["_id"]
    return {"value": value, **({"label": labels[value]} if value in labels else {}), "count": counted["count"]}
