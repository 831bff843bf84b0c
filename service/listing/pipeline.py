"""The aggregation pipeline of a list request: typed inputs in, `list[dict]` out, no I/O."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from bson.min_key import MinKey

from documents import ModelRecord
from documents.folding import fold
from indexes.indexes import all_by, readable_by
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.listing.params import ListFilter, ListParams
from service.models.item import ITEM_STAGES, WITHOUT_LARGE

_SORT_FIELDS = {"name": "keys.name", "created_at": "created_at", "updated_at": "updated_at"}


def search_match(query: str, narrowing: Sequence[str]) -> Match:
    """Return the match fragment of a literal search that ignores case.

    The escaped regular expression decides what matches. `narrowing` contains trigrams of the folded query, by which
    an index finds the candidates.
    """
    match: Match = {"keys.text": {"$regex": re.escape(fold(query))}}
    if narrowing:
        match["keys.grams"] = {"$all": list(narrowing)}
    return match


def list_match(
    selected: ListFilter, caller: Caller, narrowing: Sequence[str] = (), owners: Sequence[str] = ()
) -> Match:
    """Return the match fragment of the models that a filter selects for a caller: the access rule, then the filters.

    `owners` are the ids of the owners that the filter names.
    """
    views = {None: access_rule.readable, "created": access_rule.owned, "shared": access_rule.shared_with}
    return _all_of(views[selected.view_option](caller), *_filters(selected, narrowing, owners))


def _filters(selected: ListFilter, narrowing: Sequence[str], owners: Sequence[str]) -> Iterator[Match]:
    if selected.id:
        yield {"_id": {"$in": selected.id}}
    if selected.query is not None:
        yield search_match(selected.query, narrowing)
    if selected.tag:
        yield {"keys.tags": _each([fold(tag) for tag in selected.tag])}
    if selected.capability:
        yield {"keys.capabilities": _each(selected.capability)}
    if selected.owner:
        yield {"user_id": {"$in": list(owners)}}
    if selected.base_model_id:
        yield {"base_model_id": {"$in": selected.base_model_id}}
    if selected.kind is not None:
        yield {"base_model_id": None if selected.kind == "base" else {"$ne": None}}
    if selected.is_active is not None:
        yield {"is_active": selected.is_active}
    for field, since in (("created_at", selected.created_since), ("updated_at", selected.updated_since)):
        if since is not None:
            yield {field: {"$gte": since}}


def _each(values: Sequence[str]) -> Any:
    unique = list(dict.fromkeys(values))
    return unique[0] if len(unique) == 1 else {"$all": unique}


def _all_of(match: Match, *others: Match) -> Match:
    """Return the fragment that requires all of these: no condition of one may replace one of another."""
    repeated: list[Match] = []
    for other in others:
        if match.keys().isdisjoint(other):
            match |= other
        else:
            repeated.append(other)
    return {**match, "$and": repeated} if repeated else match


def list_hint(params: ListParams, match: Match) -> str | None:
    """Return the name of the index that the page must use; None to leave the choice to the server.

    With filters that are answered from its keys, the index of the requested order can stop after the last record of
    the page. The server would prefer another index and a sort when a filter looks selective. With other filters, it
    compares that index with theirs.
    """
    if params.id:
        return "_id_"
    field = _SORT_FIELDS[params.order_by]
    since = {"created_at": params.created_since, "updated_at": params.updated_since}
    elsewhere = [moment for name, moment in since.items() if name != field]
    filters = [params.query, params.tag, params.capability, params.owner, params.base_model_id, *elsewhere]
    if any(value not in (None, []) for value in filters):
        return None
    return readable_by(field) if "keys.readers" in match else all_by(field)


def list_pipeline(params: ListParams, match: Match) -> list[dict[str, Any]]:
    """Return the pipeline on `models` that yields the records of the page in order, then `{total}`.

    `match` selects the records, see `list_match`. The total is computed by `$unionWith`: unlike with `$facet`, the
    page may be larger than one document, and an empty page still has a total. When nothing matches, no total is
    yielded. Large records are left out, see `WITHOUT_LARGE`: a page of them would take 50 MB.
    """
    field = _SORT_FIELDS[params.order_by]
    direction = 1 if params.direction == "asc" else -1
    # An open range on the sort field does not change the result. It makes the server apply the other filters to the
    # index keys instead of fetching each record. With principals in the match, the server does so anyway.
    page_match = match if "keys.readers" in match else {field: {"$gte": MinKey()}, **match}
    return [
        {"$match": page_match},
        {"$sort": {field: direction, "_id": direction}},
        {"$skip": params.skip},
        {"$limit": params.page_size},
        WITHOUT_LARGE,
        *ITEM_STAGES,
        {"$unionWith": {"coll": ModelRecord.Settings.name, "pipeline": [{"$match": match}, {"$count": "total"}]}},
    ]
