"""What the list routes return: a page of records, or all models and tags that a caller may read."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from documents import ModelRecord
from documents.folding import fold
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.database.client import Database
from service.models.item import ITEM_STAGES, render_item

BATCH = 100


def render_page(yielded: Sequence[Mapping[str, Any]], caller: Caller, *, readers_see_params: bool) -> dict[str, Any]:
    """Return `{items, total}` from the records and the total that the list pipeline yields."""
    records = [document for document in yielded if "_id" in document]
    total = next((document["total"] for document in yielded if "_id" not in document), 0)
    return {
        "items": [render_item(record, caller, readers_see_params=readers_see_params) for record in records],
        "total": total,
    }


async def items(
    database: Database, caller: Caller, match: Match, *, readers_see_params: bool
) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
    """Yield the matching models that the caller may read, as the API shows them, in order of id and in batches."""
    # Ids that are not text can't be addressed by any route.
    query = {"$and": [access_rule.readable(caller), match, {"_id": {"$type": "string"}}]}
    async for batch in database.aggregate_batches(ModelRecord, query, ITEM_STAGES, size=BATCH):
        yield [render_item(record, caller, readers_see_params=readers_see_params) for record in batch]


async def tags(database: Database, caller: Caller) -> list[str]:
    """Return the names of all tags of the models that the caller may read, ordered by code point.

    Names that are one tag when they are folded are one name here: that which most of the models have, or of several
    such names the first.
    """
    names = "$meta.tags.name"
    pipeline: list[dict[str, Any]] = [
        {"$match": {**access_rule.readable(caller), "keys.tags": {"$ne": []}}},
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
