"""Who is there: users and groups on their way out count as absent."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from documents import Group, User
from documents.grant import EVERYONE, PrincipalType
from documents.text import text_problem
from service.auth.access_rule import Match
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import InvalidInputError, NotFoundError

Kind = type[User] | type[Group]

EXISTING: Match = {"leaving": {"$ne": True}}


async def require_existing(database: Database, kind: Kind, identifier: str, *, or_leaving: bool = False) -> Record:
    """Return a user or a group as stored; raise NotFoundError."""
    query = {"_id": identifier, **({} if or_leaving else EXISTING)}
    found = await database.find(kind, query) if text_problem(identifier) is None else []
    if not found:
        raise NotFoundError(f"There is no {_named(kind)} with the id {identifier!r}.")
    return found[0]


async def require_all_existing(database: Database, kind: Kind, identifiers: Sequence[str], field: str) -> None:
    """Raise InvalidInputError, which names each in its place in `field`, when some of them are absent."""
    query = {"_id": {"$in": list(identifiers)}, **EXISTING}
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


Grant = Mapping[str, Any]
Principal = tuple[str, str]

_DOCUMENTS = {PrincipalType.USER: User, PrincipalType.GROUP: Group}


async def absent_principals(database: Database, grants: Iterable[Grant]) -> set[Principal]:
    """Return the type and id of all that the grants name and that does not exist (any more)."""
    named = {(str(grant["principal_type"]), str(grant["principal_id"])) for grant in grants}
    named.discard((PrincipalType.USER, EVERYONE))
    absent = set(named)
    for kind, document in _DOCUMENTS.items():
        ids = sorted(principal_id for of_kind, principal_id in named if of_kind == kind)
        if ids:
            staying = {"_id": {"$in": ids}, **EXISTING}
            found = await database.find(document, staying, fields=["_id"])
            absent -= {(kind.value, principal["_id"]) for principal in found}
    return absent


async def require_principals(database: Database, grants: Sequence[Grant], loc: Sequence[str | int]) -> None:
    """Raise InvalidInputError, which names each, when grants name principals that do not exist."""
    absent = await absent_principals(database, grants)
    if absent:
        raise InvalidInputError([absent_problem(principal, loc) for principal in sorted(absent)])


def absent_problem(principal: Principal, loc: Sequence[str | int]) -> dict[str, Any]:
    """Return the error about one principal that does not exist, at a location of the input."""
    return {"loc": list(loc), "msg": f"there is no {principal[0]} {principal[1]!r}"}
