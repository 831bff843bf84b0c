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
from service.listing.counting import keys_pay
from service.listing.facet_pipelines import SPELLING, UNKNOWN, facet_pipelines, facet_pipelines_of_records, facets_among
from service.listing.params import FacetName, ListFilter, ListParams
from service.listing.pipeline import Resolved, Stages, list_match
from service.listing.rows import found_by_rows, rows_narrow
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
    for name in params.wanted_facets:
        wanted[repr(facet_match(name, params, caller, resolved))].append(name)
    found: Record = {}
    for names in wanted.values():
        selected = _selected(names[0], params)
        pipelines, hint = _pipelines(names, selected, caller, resolved)
        found |= await _counted(database, pipelines, hint, seconds)
        unknown = [found.pop(name, None) for name in UNKNOWN.values()]
        if any(unknown):
            of_records = facet_pipelines_of_records(names, list_match(selected, caller, resolved))
            found |= await _counted(database, of_records, None, seconds)
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
    return list_match(_selected(name, selected), caller, resolved)


def _selected(name: FacetName, selected: ListFilter) -> ListFilter:
    return selected.model_copy(update=_WITHOUT_OWN.get(name, {}))


def _pipelines(
    names: Sequence[FacetName], selected: ListFilter, caller: Caller, resolved: Resolved
) -> tuple[list[Stages], str | None]:
    apart = resolved.visible_to(caller) > KEYS_OF_A_CALL
    if apart and rows_narrow(selected, caller, resolved) and keys_pay(selected, caller, resolved):
        return [facets_among(names, found_by_rows(selected, caller, resolved, {}))], None
    return facet_pipelines(names, list_match(selected, caller, resolved), apart=apart)


async def _counted(database: Database, pipelines: Sequence[Stages], hint: str | None, seconds: float) -> Record:
    async with together() as group:
        running = [
            group.create_task(database.aggregate(ModelRecord, pipeline, hint=hint, seconds=seconds))
            for pipeline in pipelines
        ]
    found: Record = {}
    for counting in running:
        [counted] = counting.result()
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
