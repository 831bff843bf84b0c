"""Who is there: users and groups on their way out count as absent."""

from collections.abc import Sequence

from documents import Group, User
from documents.text import text_problem
from service.access import Match
from service.database import Database
from service.errors import InvalidInputError, NotFoundError
from service.exact_bson import Record

Kind = type[User] | type[Group]

PRESENT: Match = {"leaving": {"$ne": True}}


async def present(database: Database, kind: Kind, identifier: str, *, or_leaving: bool = False) -> Record:
    """Return a user or a group as stored; raise NotFoundError."""
    query = {"_id": identifier, **({} if or_leaving else PRESENT)}
    found = await database.find(kind, query) if text_problem(identifier) is None else []
    if not found:
        raise NotFoundError(f"There is no {_named(kind)} with the id {identifier!r}.")
    return found[0]


async def require_present(database: Database, kind: Kind, identifiers: Sequence[str], field: str) -> None:
    """Raise InvalidInputError, which names each in its place in `field`, when some of them are absent."""
    query = {"_id": {"$in": list(identifiers)}, **PRESENT}
    there = {found["_id"] for found in await database.find(kind, query, fields=["_id"])} if identifiers else set()
    absent = [
        {"loc": [field, at], "msg": f"there is no {_named(kind)} {identifier!r}"}
        for at, identifier in enumerate(identifiers)
        if identifier not in there
    ]
    if absent:
        raise InvalidInputError(absent)


def _named(kind: Kind) -> str:
    return kind.__name__.lower()
