"""Facets: how many of the models that a list selects have each value, the most frequent first."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from bson.min_key import MinKey

from documents import ModelRecord, User
from documents.folding import fold
from indexes.indexes import all_by
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record
from service.listing.matches import all_of
from service.listing.params import FacetName, ListFilter, ListParams
from service.listing.pipeline import Resolved, list_match
from service.models.principals import EXISTING

MAX_VALUES = 50
# Spellings of the shown tags that are looked at for the most used ones.
MAX_SPELLINGS = 2000
# A model has one value of these, so that their own filter is left out: it would leave one choice.
_WITHOUT_OWN: Mapping[str, Mapping[str, Any]] = {
    "owner": {"owner": []},
    "base_model_id": {"base_model_id": []},
    "kind": {"kind": None},
    "is_active": {"is_active": None},
}
_HAS_BASE: dict[str, Any] = {"$ne": [{"$ifNull": ["$base_model_id", None]}, None]}
_FIELDS: Mapping[FacetName, str] = {
    **{"tag": "keys.tags", "capability": "keys.capabilities", "owner": "user_id"},
    **{"base_model_id": "base_model_id", "kind": "base_model_id", "is_active": "is_active"},
}
_SEVERAL = ("tag", "capability")
# What the keys of the index `all_by_created` hold.
_IN_INDEX = {"created_at", "_id", "keys.text", "user_id", "base_model_id", "is_active"}

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
        pipeline, hint = facet_pipeline(names, matches[key])
        [counted] = await database.aggregate(ModelRecord, pipeline, hint=hint, seconds=seconds)
        found |= counted
    shown: dict[str, Facet] = {}
    for name in params.wanted_facets:
        labels: Mapping[Any, str] = {}
        values = [one["_id"] for one in found[name]]
        if name == "owner":
            labels = await _names(database, values)
        elif name == "tag" and values:
            labels = await _spellings(database, facet_match(name, params, caller, resolved), values, seconds)
        shown[name] = [_rendered(one, labels) for one in found[name]]
    return shown


def facet_match(name: FacetName, selected: ListFilter, caller: Caller, resolved: Resolved) -> Match:
    """Return the match fragment of the models that a facet counts: those of the list, some without its own filter."""
    return list_match(selected.model_copy(update=_WITHOUT_OWN.get(name, {})), caller, resolved)


def facet_pipeline(names: Sequence[FacetName], match: Match) -> tuple[list[dict[str, Any]], str | None]:
    """Return the pipeline that yields `{name: [{_id, count}]}` for facets of the same models, and the index to use."""
    fields = {_FIELDS[name] for name in names}
    hint = None
    if fields | match.keys() <= _IN_INDEX:
        # The keys of this index answer all of it, and no record is fetched.
        match, hint = {"created_at": {"$gte": MinKey()}, **match}, all_by("created_at")
    return [
        {"$match": match},
        # Without it, the server hands whole records to each facet.
        {"$project": {"_id": 0, **dict.fromkeys(sorted(fields), 1)}},
        {"$facet": {name: _counting(name) for name in names}},
    ], hint


def _counting(name: FacetName) -> list[dict[str, Any]]:
    value: Any = f"${_FIELDS[name]}"
    if name == "kind":
        value = {"$cond": [_HAS_BASE, "custom", "base"]}
    return [
        *([{"$unwind": value}] if name in _SEVERAL else []),
        {"$group": {"_id": value, "count": {"$sum": 1}}},
        # A model without a base model has none to choose, and what was written past the service can be of any type.
        {"$match": {"_id": {"$type": "bool" if name == "is_active" else "string"}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": MAX_VALUES},
    ]


async def _names(database: Database, user_ids: Sequence[str]) -> dict[Any, str]:
    users = await database.find(User, {"_id": {"$in": list(user_ids)}, **EXISTING}, fields=["name"])
    return {user["_id"]: user["name"] for user in users if isinstance(user.get("name"), str)}


async def _spellings(database: Database, match: Match, tags: Sequence[str], seconds: float) -> dict[Any, str]:
    """Return for each folded tag how most of the models spell it."""
    names = "$meta.tags.name"
    pipeline: list[dict[str, Any]] = [
        {"$match": all_of(match, {"keys.tags": {"$in": list(tags)}})},
        # Each name once, also where a model repeats it.
        {"$project": {"_id": 0, "tag": {"$cond": [{"$isArray": names}, {"$setUnion": [names]}, []]}}},
        {"$unwind": "$tag"},
        {"$group": {"_id": "$tag", "count": {"$sum": 1}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": MAX_SPELLINGS},
    ]
    spelled: dict[Any, str] = {}
    for one in await database.aggregate(ModelRecord, pipeline, seconds=seconds):
        if isinstance(one["_id"], str):
            spelled.setdefault(fold(one["_id"]), one["_id"])
    return spelled


def _rendered(counted: Record, labels: Mapping[Any, str]) -> dict[str, Any]:
    value = counted["_id"]
    return {"value": value, **({"label": labels[value]} if value in labels else {}), "count": counted["count"]}
