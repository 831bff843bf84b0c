"""The aggregation pipeline of a list request: typed inputs in, `list[dict]` out, no I/O."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from documents import ModelRecord
from documents.folding import fold
from documents.grant import group_principal
from indexes.indexes import all_by, readable_by
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.listing.matches import all_of
from service.listing.params import ListFilter, ListParams
from service.listing.parts import Order, Part, page_parts, sort_field
from service.listing.position import Position
from service.listing.search_statistics import SearchStatistics
from service.models.item import GATHERED_ITEM_STAGES, PART, WITHOUT_LARGE

Stages = list[dict[str, Any]]

# To read and check so many records takes a few milliseconds.
FEW = 500
# To read a record costs about as much as so many index keys, or more where a server has no room for all records.
KEYS_OF_A_RECORD, KEYS_OF_A_STORED_RECORD = 6, 16
RECORDS_IN_MEMORY = 500_000


def search_matches(terms: Sequence[str], narrowing: Sequence[str], *, in_description: bool = False) -> Iterator[Match]:
    """Yield the match fragments of a search for folded terms, all of which have to occur, each literally.

    The escaped regular expressions decide what matches. `narrowing` contains trigrams of the terms, by which an index
    finds the candidates; a description has none.
    """
    for term in terms:
        occurs: Match = {"$regex": re.escape(term)}
        if in_description:
            apart = ({"keys.described": None, field: occurs} for field in ("keys.text", "keys.description"))
            yield {"$or": [{"keys.described": occurs}, *apart]}
        else:
            yield {"keys.text": occurs}
    if narrowing and not in_description:
        yield {"keys.grams": {"$all": list(narrowing)}}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a filter comes to: the terms of its search, trigrams that narrow it, and the ids of its owners.

    `statistics` say how much is to be expected of it.
    """

    terms: Sequence[str] = ()
    narrowing: Sequence[str] = ()
    owners: Sequence[str] = ()
    statistics: SearchStatistics = field(default_factory=SearchStatistics)

    @property
    def without_narrowing(self) -> "Resolved":
        """The same, but no trigrams narrow it."""
        return replace(self, narrowing=())

    @property
    def halves(self) -> list[Match]:
        """Two conditions on `created_at`, of which each model meets one: a time of creation never changes."""
        later = {"$gte": self.statistics.middle}
        return [{"$not": later}, later]

    @property
    def keys_of_a_record(self) -> int:
        """As many index keys cost about as much as to read a record."""
        return KEYS_OF_A_RECORD if self.statistics.records <= RECORDS_IN_MEMORY else KEYS_OF_A_STORED_RECORD

    def visible_share(self, caller: Caller) -> float:
        """Return the share of the records that the caller may read, about."""
        return 1.0 if caller.is_admin else self.statistics.visible_share(caller.principals)

    def visible_to(self, caller: Caller) -> float:
        """Return how many records the caller may read, about."""
        return self.statistics.records * self.visible_share(caller)

    def found_share(self, selected: ListFilter) -> float:
        """Return the share of the records that the terms, tags and capabilities of a filter find, about."""
        in_description = selected.searched_in is not None
        tags = map(fold, selected.tag)
        return self.statistics.found_share(self.terms, tags, selected.capability, in_description=in_description)

    def candidates_share(self, selected: ListFilter) -> float:
        """Return the least share of the records that an index of trigrams, tags or capabilities finds for a filter."""
        return min(
            self.statistics.share_with("grams", self.narrowing if selected.searched_in is None else ()),
            self.statistics.share_with("tags", map(fold, selected.tag)),
            self.statistics.share_with("capabilities", selected.capability),
        )


def list_match(selected: ListFilter, caller: Caller, resolved: Resolved) -> Match:
    """Return the match fragment of the models that a filter selects for a caller: the access rule, then the filters."""
    views = {None: access_rule.readable, "created": access_rule.owned, "shared": access_rule.shared_with}
    return all_of(views[selected.view_option](caller), *_filters(selected, resolved))


def unsearched_match(selected: ListFilter, caller: Caller, resolved: Resolved) -> Match:
    """Return what `list_match` requires besides the search, the tags, and that the caller may read the records.

    The filter must not be for the caller's own records only.
    """
    others = selected.model_copy(update={"query": None, "tag": []})
    viewed: Match = {"user_id": {"$ne": caller.user_id}} if selected.view_option == "shared" else {}
    return all_of(viewed, *_filters(others, resolved))


def filter_match(selected: ListFilter, resolved: Resolved) -> Match:
    """Return what `list_match` requires besides the access rule and the view."""
    return all_of({}, *_filters(selected, resolved))


def _filters(selected: ListFilter, resolved: Resolved) -> Iterator[Match]:
    if selected.id:
        yield {"_id": {"$in": selected.id}}
    if selected.query is not None:
        in_description = selected.searched_in is not None
        yield from search_matches(resolved.terms, resolved.narrowing, in_description=in_description)
    if selected.tag:
        yield {"keys.tags": _each([fold(tag) for tag in selected.tag])}
    if selected.capability:
        yield {"keys.capabilities": _each(selected.capability)}
    if selected.group:
        yield {"keys.readers": {"$in": [group_principal(group) for group in selected.group]}}
    if selected.owner:
        yield {"user_id": {"$in": list(resolved.owners)}}
    if selected.base_model_id:
        yield {"base_model_id": {"$in": selected.base_model_id}}
    if selected.kind is not None:
        yield {"base_model_id": None if selected.kind == "base" else {"$ne": None}}
    if selected.is_active is not None:
        yield {"is_active": selected.is_active}
    for name, since in (("created_at", selected.created_since), ("updated_at", selected.updated_since)):
        if since is not None:
            yield {name: {"$gte": since}}


def _each(values: Sequence[str]) -> Any:
    unique = list(dict.fromkeys(values))
    return unique[0] if len(unique) == 1 else {"$all": unique}


def finds_few(selected: ListFilter, resolved: Resolved) -> bool:
    """Return whether trigrams find so few candidates that nothing else is as fast."""
    if selected.searched_in is not None:
        return False
    candidates = resolved.statistics.records * resolved.statistics.share_with("grams", resolved.narrowing)
    return bool(resolved.narrowing) and candidates <= FEW


def list_hint(params: ListParams, match: Match, resolved: Resolved) -> str | None:
    """Return the name of the index that the page must use; None to leave the choice to the server.

    With filters that are answered from its keys, the index of the requested order can stop after the last record of
    the page. The server would prefer another index and a sort when a filter looks selective. With other filters, it
    compares that index with theirs. It keeps its choice for searches of the same form, so that one for a rare word
    would read what was right for a frequent one.
    """
    if params.id:
        return "_id_"
    restricted = "keys.readers" in match
    field = sort_field(params.order_by)
    ordered = readable_by(field) if restricted else all_by(field)
    # Only the index of all models holds what is searched.
    if _is_soon_full(params, resolved, resolved.keys_of_a_record if restricted else 1):
        return ordered
    if finds_few(params, resolved):
        return "grams"
    since = {"created_at": params.created_since, "updated_at": params.updated_since}
    elsewhere = [moment for name, moment in since.items() if name != field]
    filters = [
        params.query,
        params.tag,
        params.capability,
        params.group,
        params.owner,
        params.base_model_id,
        *elsewhere,
    ]
    if any(value not in (None, []) for value in filters):
        return None
    return ordered


def _is_soon_full(params: ListParams, resolved: Resolved, cost: int) -> bool:
    """Return whether reading in order fills the page of a search before its candidates by trigrams would be read.

    In order, each record takes as long as `cost` index keys.
    """
    # These are in the keys too, and most models are so.
    most = params.kind != "base" and params.is_active is not False
    if not most or not selects_only(params, "query", "kind", "is_active") or params.order_by == "relevance":
        return False
    if not resolved.narrowing or not (found := resolved.found_share(params)):
        return False
    candidates = resolved.statistics.records * resolved.candidates_share(params)
    return cost * params.page * params.page_size / found <= resolved.keys_of_a_record * candidates


def selects_only(selected: ListFilter, *names: str) -> bool:
    """Return whether a filter has no conditions but of these names."""
    return all(getattr(selected, name) in (None, []) for name in set(ListFilter.model_fields) - {*names})


def list_pipeline(
    params: ListParams,
    order: Order,
    position: Position,
    records_of: Callable[[Part], Stages],
    counted: Stages | None = None,
) -> Stages:
    """Return the pipeline on `models` that yields the records of the page in order and one more, then `{total}`.

    `records_of` returns the stages that yield the records of a part in order, see `in_order`; the page begins at
    `position`. A record more than the page holds says that there is a next one. The total is what `counted` yields, and
    is absent without it; see `counts`. It is computed by `$unionWith`: unlike with `$facet`, the page may be
    larger than one document, and an empty page still has a total. When nothing matches, no total is yielded. Large
    records are left out, see `WITHOUT_LARGE`: a page of them would take 50 MB. What it yields is for
    `with_gathered_owners`.
    """
    total = _total_stages(counted)
    limit = params.page_size + 1
    first, *others = page_parts(order, position)
    if not others:
        stages = [*records_of(first), {"$skip": position.skip}, {"$limit": limit}]
        return [*stages, *_item_stages(params, order), *total]
    # Several groups from their beginning on are skipped as one; of the others, only the first begins later.
    together = position.skip if position.key is None and not position.strays else 0
    stages = [*records_of(first), {"$skip": position.skip - together}, {"$limit": together + limit}]
    for number, part in enumerate(others, 1):
        # The server begins with it only when those before have ended.
        pipeline = [*records_of(part), {"$limit": together + limit}, {"$addFields": {PART: number}}]
        stages.append({"$unionWith": {"coll": ModelRecord.Settings.name, "pipeline": pipeline}})
    stages += [{"$skip": together}, {"$limit": limit}]
    return [*stages, *_item_stages(params, order), *total]


def in_order(match: Match, order: Order) -> Callable[[Part], Stages]:
    """Return what makes the stages that yield those records of a part that `match` selects, in order."""

    def records_of(part: Part) -> Stages:
        # What only changes how they are found.
        placed = (
            all_of(match, part.with_principals) if "keys.readers" in match else {**part.without_principals, **match}
        )
        return [{"$match": all_of(placed, part.match)}, {"$sort": order.sort}]

    return records_of


def _item_stages(params: ListParams, order: Order) -> list[dict[str, Any]]:
    shown = params.shown
    if shown is None:
        return [WITHOUT_LARGE, *GATHERED_ITEM_STAGES]
    return shown.stages([order.field, PART], gathered=True)


def _total_stages(counted: Stages | None) -> Stages:
    return [] if counted is None else [{"$unionWith": {"coll": ModelRecord.Settings.name, "pipeline": counted}}]
