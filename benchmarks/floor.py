"""The floor of a list request: what no service can be faster than, the queries of its page, count and facets alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from pymongo.database import Database

from service.listing.params import FacetName, ListParams

Stages = list[dict[str, Any]]

_PAGE_STAGES = {"$match", "$sort", "$skip", "$limit"}
_HAS_BASE = {"$ne": [{"$ifNull": ["$base_model_id", None]}, None]}
_FACET_VALUES: Mapping[FacetName, Any] = {
    "tag": "$keys.tags",
    "owner": "$user_id",
    "base_model_id": "$base_model_id",
    "capability": "$keys.capabilities",
    "kind": {"$cond": [_HAS_BASE, "custom", "base"]},
    "is_active": "$is_active",
}
_SEVERAL = ("tag", "capability")


def page_stages(pipeline: Stages) -> Stages:
    """Return the first stages of a list pipeline: those that find the records of the page."""
    return list(takewhile(lambda stage: stage.keys() <= {*_PAGE_STAGES, "$unionWith"}, pipeline))


def _parts(page: Stages) -> list[dict[str, Any]]:
    """Return the stages of each part of a page by name; the last skip and limit are of the page as a whole."""
    first = {name: value for stage in page if stage.keys() <= _PAGE_STAGES for name, value in stage.items()}
    others = [stage["$unionWith"]["pipeline"] for stage in page if "$unionWith" in stage]
    return [first, *({name: value for stage in other for name, value in stage.items()} for other in others)]


@dataclass(frozen=True, slots=True)
class Floor:
    """The queries that answer one list request."""

    database: Database[dict[str, Any]]
    params: ListParams
    match: Mapping[str, Any]
    page: Stages
    hint: str | None
    facets: Sequence[FacetName] = field(default=())

    def run(self) -> tuple[list[dict[str, Any]], int | None, dict[str, dict[Any, int]]]:
        """Return the records of the page and one more, the total, and the count of each value of each facet."""
        total = None if self.params.total == "none" else self.database.models.count_documents(self.match)
        return self._records(), total, {name: self._counts(name) for name in self.facets}

    def _records(self) -> list[dict[str, Any]]:
        first, *others = _parts(self.page)
        skip, limit = first["$skip"], first["$limit"]
        shown = self.params.fields.split(",") if self.params.fields else None
        found: list[dict[str, Any]] = []
        for part in (first, *others):
            if len(found) < skip + limit:
                query = self.database.models.find(
                    part["$match"],
                    shown,
                    sort=list(part["$sort"].items()),
                    skip=0 if others else skip,
                    limit=skip + limit - len(found) if others else limit,
                    hint=self.hint,
                )
                found += query
        return found[skip:] if others else found

    def _counts(self, name: FacetName) -> dict[Any, int]:
        value = _FACET_VALUES[name]
        # Without it, the server reads whole records to group them.
        fields = {"_id": 0, ("base_model_id" if name == "kind" else str(value).removeprefix("$")): 1}
        unwind: Stages = [{"$unwind": value}] if name in _SEVERAL else []
        group = {"$group": {"_id": value, "count": {"$sum": 1}}}
        found = self.database.models.aggregate([{"$match": self.match}, {"$project": fields}, *unwind, group])
        return {record["_id"]: record["count"] for record in found}
