"""The owners that a filter names, by id or by email."""

from collections.abc import Sequence

from documents import User
from documents.folding import fold
from service.database.client import Database
from service.models.principals import EXISTING


async def owner_ids(database: Database, named: Sequence[str]) -> list[str]:
    """Return the ids that a list may be filtered by: those given, and those of the users with the given emails.

    What is neither the id nor the email of anybody is returned as an id, and matches nothing.
    """
    # An id can look like an email, and the models of a deleted user keep their id.
    found = set(named)
    if emails := [fold(text) for text in found if "@" in text]:
        users = await database.find(User, {"keys.email": {"$in": sorted(emails)}, **EXISTING}, fields=["_id"])
        found |= {user["_id"] for user in users}
    return sorted(found)
