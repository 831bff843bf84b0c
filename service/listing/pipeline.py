"""The aggregation pipeline of a list request: typed inputs in, `list[dict]` out, no I/O."""

import re
from collections.abc import Sequence
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


def list_match(selected: ListFilter, caller: Caller, narrowing: Sequence[str] = ()) -> Match:
    """Return the match fragment of the models that a filter selects for a caller: the access rule, then the filters."""
    views = {None: access_rule.readable, "created": access_rule.owned, "shared": access_rule.shared_with}
    match = views[selected.view_option](caller)
    if selected.query is not None:
        match |= search_match(selected.query, narrowing)
    if selected.tag is not None:
        match["keys.tags"] = fold(selected.tag)
    if selected.kind is not None:
        match["base_model_id"] = None if selected.kind == "base" else {"$ne": None}
    if selected.is_active is not None:
        match["is_active"] = selected.is_active
    return match


def list_hint(params: ListParams, match: Match) -> str | None:
    """Return the name of the index that the page must use; None to leave the choice to the server.

    Without a search or a tag, the index of the requested order can stop after the last record of the page. The server
    would prefer another index and a sort when a filter looks selective.
    """
    if params.query is not None or params.tag is not None:
        return None
    field = _SORT_FIELDS[params.order_by]
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
