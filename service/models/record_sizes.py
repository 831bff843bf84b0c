"""Splitting work on many records into parts, so that the memory for the records of one part is bounded."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from documents import ModelRecord
from service.database.client import Database

# A record can have 500 KB, and a change of it holds it several times.
MAX_PART_BYTES = 4_000_000
_SIZE: dict[str, Any] = {"$project": {"size": {"$bsonSize": "$$ROOT"}}}

T = TypeVar("T")


async def split_by_size(database: Database, items: Sequence[T], model_id: Callable[[T], str]) -> list[list[T]]:
    """Return the items, each about one model, in parts whose stored records have at most `MAX_PART_BYTES` together.

    The order stays. A part has at least one item; a model that does not exist takes no room.
    """
    match = {"$match": {"_id": {"$in": [model_id(item) for item in items]}}}
    sizes = {found["_id"]: found["size"] for found in await database.aggregate(ModelRecord, [match, _SIZE])}
    parts: list[list[T]] = []
    room = 0
    for item in items:
        size = sizes.get(model_id(item), 0)
        if not parts or size > room:
            parts.append([])
            room = MAX_PART_BYTES
        parts[-1].append(item)
        room -= size
    return parts
