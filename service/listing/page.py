"""What the list routes return: a page of records, or all models and tags that a caller may read."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from documents import ModelRecord
from documents.folding import fold
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record
from service.listing.params import ListParams
from service.listing.parts import Order, next_position
from service.listing.position import Position
from service.models.fields import Fields
from service.models.item import ITEM_STAGES, LARGE, WITHOUT_LARGE, render_item

BATCH = 100
# Large records that are in memory at once, unless one alone is larger.
PART_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """The records of a page, in order, and how many match; of large records only the id, the place and the size.

    `total` is None where nobody asked for it, and `next_cursor` on the last page.
    """

    records: Sequence[Mapping[str, Any]]
    total: int | None
    next_cursor: str | None

    @classmethod
    def of(cls, yielded: Sequence[Record], params: ListParams, order: Order, position: Position) -> Self:
        """Return the page that begins at `position` from what the list pipeline yields."""
        found = [document for document in yielded if "_id" in document]
        counted = next((document["total"] for document in yielded if "_id" not in document), 0)
        records, more = found[: params.page_size], found[params.page_size :]
        following = next_position(order, position, records) if more else None
        return cls(
            records,
            None if params.total == "none" else counted,
            following.cursor(params) if following is not None else None,
        )

    @property
    def is_large(self) -> bool:
        """Whether the large records together are too many to be in memory at once."""
        size: int = sum(record.get(LARGE, 0) for record in self.records)
        return size > PART_BYTES

    @property
    def has_large(self) -> bool:
        """Whether some of the records are left to be read when they are sent."""
        return any(LARGE in record for record in self.records)


async def page_items(
    database: Database, caller: Caller, page: Page, *, readers_see_params: bool, shown: Fields | None = None
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    """Yield the items of a page as the API shows them to the caller, in parts; the large ones are read part by part.

    With `shown`, items have only these fields.
    """

    async def rendered(part: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        whole = await _whole(database, caller, part, ITEM_STAGES if shown is None else _unmeasured(shown))
        items = [render_item(record, caller, readers_see_params=readers_see_params) for record in whole]
        return items if shown is None else [shown.of(item) for item in items]

    part: list[Mapping[str, Any]] = []
    size = 0
    for record in page.records:
        part.append(record)
        size += record.get(LARGE, 0)
        if size > PART_BYTES:
            yield await rendered(part)
            part, size = [], 0
    yield await rendered(part)


def _unmeasured(shown: Fields) -> list[dict[str, Any]]:
    return [stage for stage in shown.stages(()) if stage != WITHOUT_LARGE]


async def _whole(
    database: Database, caller: Caller, part: Sequence[Mapping[str, Any]], stages: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the records of a part, also the large ones, but not what was deleted or hidden meanwhile."""
    found: dict[str, Mapping[str, Any]] = {}
    if ids := [record["_id"] for record in part if LARGE in record]:
        match = {**access_rule.readable(caller), "_id": {"$in": ids}}
        # An id that was written past the service can be of any type.
        read = await database.aggregate(ModelRecord, [{"$match": match}, *stages])
        found = {repr(record["_id"]): record for record in read}
    whole = [found.get(repr(record["_id"])) if LARGE in record else record for record in part]
    return [record for record in whole if record is not None]


async def items(
    database: Database, caller: Caller, match: Match, *, readers_see_params: bool
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    """Yield the matching models that the caller may read, as the API shows them, in order of id and in batches."""
    # Ids that are not text can't be addressed by any route.
    query = {"$and": [access_rule.readable(caller), match, {"_id": {"$type": "string"}}]}
    async for batch in database.aggregate_batches(ModelRecord, query, ITEM_STAGES, size=BATCH):
        yield [render_item(record, caller, readers_see_params=readers_see_params) for record in batch]


async def tags(database: Database, caller: Caller, match: Match | None = None) -> list[str]:
    """Return the names of all tags of the matching models that the caller may read, ordered by code point.

    Names that are one tag when they are folded are one name here: that which most of the models have, or of several
    such names the first.
    """
    names = "$meta.tags.name"
    pipeline: list[dict[str, Any]] = [
        {"$match": {**access_rule.readable(caller), **(match or {}), "keys.tags": {"$ne": []}}},
        # Each name once, also where a model repeats it.
        {"$project": {"tag": {"$cond": [{"$isArray": names}, {"$setUnion": [names]}, []]}}},
        {"$unwind": "$tag"},
        {"$group": {"_id": "$tag", "models": {"$sum": 1}}},
    ]
    spellings: dict[str, tuple[int, str]] = {}
    for found in await database.aggregate(ModelRecord, pipeline):
        # A record that was written past the service can have a name of any type.
        if isinstance(name := found["_id"], str):
            rank = (-found["models"], name)
            spellings[fold(name)] = min(rank, spellings.get(fold(name), rank))
    return sorted(name for _, name in spellings.values())
