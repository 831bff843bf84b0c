"""Which users and groups exist, looked up once and remembered within bounds."""

from collections.abc import Iterable

from beanie import Document

from service.database.client import Database
from service.models.principals import EXISTING

REMEMBERED = 100_000


class ExistingPrincipals:
    """The ids of one kind of principal: those in the database, and those that this import brings."""

    def __init__(self, database: Database, kind: type[Document]) -> None:
        self._database = database
        self._kind = kind
        self._exists: dict[str, bool] = {}
        self._brought: set[str] = set()

    def bring(self, identifier: str) -> None:
        """Note that this import has created, or in a dry run would have created, a principal."""
        self._brought.add(identifier)

    async def among(self, identifiers: Iterable[str]) -> set[str]:
        """Return those of the given ids that exist."""
        wanted = set(identifiers)
        missing = sorted(wanted - self._brought - self._exists.keys())
        if missing:
            found = await self._database.find(self._kind, {"_id": {"$in": missing}, **EXISTING}, fields=["_id"])
            live = {document["_id"] for document in found}
            self._exists.update((identifier, identifier in live) for identifier in missing)
        existing = {identifier for identifier in wanted if identifier in self._brought or self._exists[identifier]}
        if len(self._exists) > REMEMBERED:
            self._exists.clear()
        return existing
