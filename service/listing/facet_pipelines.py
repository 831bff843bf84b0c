"""The aggregation pipelines of facets: names and a match in, pipelines out, no I/O."""

from collections.abc import Sequence
from typing import Any

from bson.min_key import MinKey

from indexes.indexes import all_by
from service.auth.access_rule import Match
from service.listing.matches import all_of
from service.listing.params import FacetName

MAX_VALUES = 50
# Spellings of tags that are looked at for the most used ones.
MAX_SPELLINGS = 2000
# Counted together with the facet of tags: how they are spelled.
SPELLING = "spelling"
# Counted together with a facet: the models without the line that it is counted by, such as those of earlier versions.
UNKNOWN = {"tag": "unknown_tag", "capability": "unknown_capability"}

_TAGS, _CAPABILITIES = "keys.tag_line", "keys.capability_line"
_FIELDS: dict[str, str] = {
    **{"tag": _TAGS, SPELLING: _TAGS, UNKNOWN["tag"]: _TAGS},
    **{"capability": _CAPABILITIES, UNKNOWN["capability"]: _CAPABILITIES},
    **{"owner": "user_id", "base_model_id": "base_model_id", "kind": "base_model_id", "is_active": "is_active"},
}
# What the entries of a line begin with.
_ENTRIES = {"tag": "f", SPELLING: "t", "capability": "c"}
_UNKNOWN_ENTRY = "?"
_LISTS: dict[str, Any] = {"tag": "$keys.tags", "capability": "$keys.capabilities"}
_SINGLE = {"user_id", "base_model_id", "is_active"}
# Of these few combinations differ, so that one scan of index keys counts all of them.
_OF_FEW_COMBINATIONS = ("base_model_id", "is_active", _CAPABILITIES)
# What the keys of each index hold, and the field that an open range makes the server scan it by.
_INDEXES = (
    ("facets", {_TAGS, _CAPABILITIES, *_SINGLE}, _TAGS),
    (all_by("created_at"), {"created_at", "_id", "keys.text", *_SINGLE}, "created_at"),
    ("readable_facets", {"keys.readers", _TAGS, _CAPABILITIES, *_SINGLE}, None),
)

Stages = list[dict[str, Any]]


def facet_pipelines(names: Sequence[FacetName], match: Match, *, apart: bool) -> tuple[list[Stages], str | None]:
    """Return pipelines that together yield `{name: [{_id, count}]}` for facets of the same models, and their index.

    The facet of tags comes with `SPELLING`, and those of tags and capabilities with `UNKNOWN`: unless these are empty,
    both are wrong, and `facet_pipelines_of_records` are to be used. With `apart` there are several, to run at the same
    time, if an index answers them; otherwise each record would be read by each.
    """
    counted = _counted_together(names)
    fields = _fields(counted)
    hint = None
    for index, held, scanned_by in _INDEXES:
        if ("keys.readers" in match) == (scanned_by is None) and {*fields} | match.keys() <= held:
            hint = index
            match = all_of({scanned_by: {"$gte": MinKey()}}, match) if scanned_by else match
            break
    if hint and apart:
        combined = [field for field in fields if field in _OF_FEW_COMBINATIONS]
        alone = [[field] for field in fields if field not in combined]
        # What takes longest first.
        scanned = [*([combined] if combined else []), *alone]
        return [_of_fields(one, [name for name in counted if _FIELDS[name] in one], match) for one in scanned], hint
    return [facets_among(names, [{"$match": match}])], hint


def facets_among(names: Sequence[FacetName], found: Stages) -> Stages:
    """Return the pipeline that counts these facets, as `facet_pipelines` do, of the records that `found` yields."""
    counted = _counted_together(names)
    return [
        *found,
        # Without it, the server hands whole records to each facet.
        {"$project": {"_id": 0, **dict.fromkeys(_fields(counted), 1)}},
        {"$facet": {name: [_grouped(_FIELDS[name]), *_entries(_FIELDS[name]), *_most(name)] for name in counted}},
    ]


def _counted_together(names: Sequence[FacetName]) -> list[str]:
    spelling = [SPELLING] if "tag" in names else []
    return [*names, *spelling, *(UNKNOWN[name] for name in names if name in UNKNOWN)]


def _fields(counted: Sequence[str]) -> list[str]:
    return sorted({_FIELDS[name] for name in counted})


def _of_fields(fields: Sequence[str], names: Sequence[str], match: Match) -> Stages:
    """Return the pipeline that yields the facets of some fields by one scan of index keys."""
    # Directly after the match, the server groups without making documents of the index keys.
    if len(fields) == 1:
        [field] = fields
        return [{"$match": match}, _grouped(field), *_entries(field), {"$facet": {name: _most(name) for name in names}}]
    places = {field: f"field{at}" for at, field in enumerate(fields)}
    return [
        {"$match": match},
        {"$group": {"_id": {place: f"${field}" for field, place in places.items()}, "count": {"$sum": 1}}},
        {
            "$facet": {
                name: [_added_up(f"_id.{places[field]}"), *_entries(field), *_most(name)]
                for name in names
                for field in [_FIELDS[name]]
            }
        },
    ]


def _grouped(field: str) -> dict[str, Any]:
    return {"$group": {"_id": f"${field}", "count": {"$sum": 1}}}


def _added_up(field: str) -> dict[str, Any]:
    return {"$group": {"_id": f"${field}", "count": {"$sum": "$count"}}}


def _entries(field: str) -> Stages:
    """Return the stages that make counted entries of counted lines."""
    if field not in (_TAGS, _CAPABILITIES):
        return []
    is_line = {"$eq": [{"$type": "$_id"}, "string"]}
    return [
        {"$project": {"count": 1, "_id": {"$cond": [is_line, {"$split": ["$_id", "\0"]}, [_UNKNOWN_ENTRY]]}}},
        {"$unwind": "$_id"},
        _added_up("_id"),
    ]


def _most(name: str) -> Stages:
    """Return the stages that keep the most frequent values of a facet among what is counted of its field."""
    if name in UNKNOWN.values():
        return [{"$match": {"_id": _UNKNOWN_ENTRY}}]
    stages: Stages = []
    if name in _ENTRIES:
        stages = [
            {"$match": {"_id": {"$regex": f"^{_ENTRIES[name]}"}}},
            {"$project": {"count": 1, "_id": {"$substrCP": ["$_id", 1, {"$strLenCP": "$_id"}]}}},
        ]
    elif name == "kind":
        kind = {"$cond": [{"$ne": [{"$ifNull": ["$_id", None]}, None]}, "custom", "base"]}
        stages = [{"$group": {"_id": kind, "count": {"$sum": "$count"}}}]
    return [*stages, *_most_frequent("bool" if name == "is_active" else "string", name)]


def _most_frequent(kind: str, name: str) -> Stages:
    return [
        # A model without a base model has none to choose, and what was written past the service can be of any type: a
        # list too, which would match by one of its elements.
        {"$match": {"_id": {"$type": kind, "$not": {"$type": "array"}}}},
        {"$sort": {"count": -1, "_id": 1}},
        {"$limit": MAX_SPELLINGS if name == SPELLING else MAX_VALUES},
    ]


def facet_pipelines_of_records(names: Sequence[FacetName], match: Match) -> list[Stages]:
    """Return pipelines that yield the facets of tags and capabilities, with `SPELLING`, from the records themselves."""
    lists = {name: path for name, path in _LISTS.items() if name in names}
    pipelines = [_unwound(name, path, match) for name, path in lists.items()]
    if "tag" in lists:
        spelled = "$meta.tags.name"
        # Each name once, also where a model repeats it.
        once = {"$cond": [{"$isArray": spelled}, {"$setUnion": [spelled]}, []]}
        pipelines.append(_unwound(SPELLING, once, match))
    return pipelines


def _unwound(name: str, values: Any, match: Match) -> Stages:
    counting: Stages = [{"$unwind": "$value"}, _grouped("value"), *_most_frequent("string", name)]
    return [{"$match": match}, {"$project": {"_id": 0, "value": values}}, {"$facet": {name: counting}}]
