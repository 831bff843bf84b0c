"""The ids of the revisions that made the current versions of models: what Open WebUI calls `version_id`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from documents import Revision
from service.database.client import Database

Items = Sequence[Mapping[str, Any]]


async def with_version_ids(database: Database, items: Items) -> list[dict[str, Any]]:
    """Return items as the API shows them, each with its `version_id`.

    That is None where the caller may not change the model, since they may not see its history, and where the version
    was written past the service.
    """
    current = [
        {"model_id": item["id"], "version": item["version"]}
        for item in items
        if item["write_access"] and isinstance(item["id"], str) and isinstance(item["version"], int)
    ]
    found = await database.find(Revision, {"$or": current}, fields=["model_id"]) if current else []
    ids = {revision["model_id"]: revision["_id"] for revision in found}
    return [{**item, "version_id": ids.get(item["id"]) if isinstance(item["id"], str) else None} for item in items]


async def all_with_version_ids(database: Database, batches: AsyncIterator[Items]) -> AsyncIterator[Items]:
    """Yield batches of items, each with its `version_id`."""
    async for batch in batches:
        yield await with_version_ids(database, batch)
