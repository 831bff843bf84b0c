"""The aggregation pipeline of a list request: typed inputs in, `list[dict]` out, no I/O."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from documents import ModelRecord
from documents.folding import fold
from indexes.indexes import all_by, readable_by
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.listing.matches import all_of
from service.listing.params import ListFilter, ListParams
from service.listing.parts import Part, page_parts, sort_field
from service.listing.position import Position
from service.models.item import ITEM_STAGES, PART, WITHOUT_LARGE


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
    return all_of(views[selected.view_option](caller), *_filters(selected, narrowing, owners))


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


def list_hint(params: ListParams, match: Match) -> str | None:
    """Return the name of the index that the page must use; None to leave the choice to the server.

    With filters that are answered from its keys, the index of the requested order can stop after the last record of
    the page. The server would prefer another index and a sort when a filter looks selective. With other filters, it
    compares that index with theirs.
    """
    if params.id:
        return "_id_"
    field = sort_field(params.order_by)
    since = {"created_at": params.created_since, "updated_at": params.updated_since}
    elsewhere = [moment for name, moment in since.items() if name != field]
    filters = [params.query, params.tag, params.capability, params.owner, params.base_model_id, *elsewhere]
    if any(value not in (None, []) for value in filters):
        return None
    return readable_by(field) if "keys.readers" in match else all_by(field)


def list_pipeline(params: ListParams, match: Match, position: Position | None = None) -> list[dict[str, Any]]:
    """Return the pipeline on `models` that yields the records of the page in order and one more, then `{total}`.

    `match` selects the records, see `list_match`; the page begins at `position`, by default where `params` has it. A
    record more than the page holds says that there is a next one. The total is computed by `$unionWith`: unlike with
    `$facet`, the page may be larger than one document, and an empty page still has a total. When nothing matches, no
    total is yielded. Large records are left out, see `WITHOUT_LARGE`: a page of them would take 50 MB.
    """
    position = position or Position(skip=params.skip)
    first, *others = page_parts(params.order_by, params.direction, position)
    stages = _part_stages(first, match, params.page_size + 1)
    for number, part in enumerate(others, 1):
        # The server begins with it only when those before have ended.
        pipeline = [*_part_stages(part, match, params.page_size + 1), {"$addFields": {PART: number}}]
        stages.append({"$unionWith": {"coll": ModelRecord.Settings.name, "pipeline": pipeline}})
    if others:
        stages.append({"$limit": params.page_size + 1})
    return [*stages, WITHOUT_LARGE, *ITEM_STAGES, *_total_stages(params, match)]


def _part_stages(part: Part, match: Match, limit: int) -> list[dict[str, Any]]:
    match = all_of(match, part.with_principals) if "keys.readers" in match else {**part.without_principals, **match}
    direction = 1 if part.ascending else -1
    return [
        {"$match": all_of(match, part.match)},
        {"$sort": {part.field: direction, "_id": direction}},
        {"$skip": part.start.skip},
        {"$limit": limit},
    ]


def _total_stages(params: ListParams, match: Match) -> list[dict[str, Any]]:
    if params.total == "none":
        return []
    return [{"$unionWith": {"coll": ModelRecord.Settings.name, "pipeline": [{"$match": match}, {"$count": "total"}]}}]
