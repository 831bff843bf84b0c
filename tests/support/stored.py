"""What a database holds, apart from its views."""

from typing import Any

from pymongo.database import Database


def collections(database: Database[dict[str, Any]]) -> list[str]:
    """Return the names of the collections that documents are in."""
    names = database.list_collection_names(filter={"type": "collection"})
    return sorted(name for name in names if not name.startswith("system."))
