"""Which users and groups exist. Those that are being deleted count as absent."""

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
Grant = Mapping[str, Any]
# Type and id.
Principal = tuple[str, str]

EXISTING: Match = {"leaving": {"$ne": True}}
_DOCUMENTS = {PrincipalType.USER: User, PrincipalType.GROUP: Group}


async def require_existing(
    database: Database, kind: Kind, identifier: str, *, or_being_deleted: bool = False
) -> Record:
    """Return a user or a group as stored; raise NotFoundError if it does not exist."""
    query = {"_id": identifier, **({} if or_being_deleted else EXISTING)}
    found = await database.find(kind, query) if text_problem(identifier) is None else []
    if not found:
        raise NotFoundError(f"There is no {_name_of(kind)} with the id {identifier!r}.")
    return found[0]


async def require_all_existing(database: Database, kind: Kind, identifiers: Sequence[str], field: str) -> None:
    """Raise InvalidInputError, with the position in `field` of each absent user or group, unless all exist."""
    query = {"_id": {"$in": list(identifiers)}, **EXISTING}
    existing = {found["_id"] for found in await database.find(kind, query, fields=["_id"])} if identifiers else set()
    errors = [
        {"loc": [field, at], "msg": f"there is no {_name_of(kind)} {identifier!r}"}
        for at, identifier in enumerate(identifiers)
        if identifier not in existing
    ]
    if errors:
        raise InvalidInputError(errors)


def _name_of(kind: Kind) -> str:
    return kind.__name__.lower()


async def absent_principals(database: Database, grants: Iterable[Grant]) -> set[Principal]:
    """Return the principals in the grants that do not exist."""
    named = {(str(grant["principal_type"]), str(grant["principal_id"])) for grant in grants}
    named.discard((PrincipalType.USER, EVERYONE))
    absent = set(named)
    for kind, document in _DOCUMENTS.items():
        ids = sorted(principal_id for of_kind, principal_id in named if of_kind == kind)
        if ids:
            found = await database.find(document, {"_id": {"$in": ids}, **EXISTING}, fields=["_id"])
            absent -= {(kind.value, principal["_id"]) for principal in found}
    return absent


async def require_principals(database: Database, grants: Sequence[Grant], loc: Sequence[str | int]) -> None:
    """Raise InvalidInputError, with one error for each, when grants name principals that do not exist."""
    absent = await absent_principals(database, grants)
    if absent:
        raise InvalidInputError([absent_problem(principal, loc) for principal in sorted(absent)])


async def names_of(database: Database, kind: Kind, identifiers: Iterable[str]) -> dict[str, str]:
    """Return the names of those users or groups that exist, by id."""
    wanted = sorted(set(identifiers))
    found = await database.find(kind, {"_id": {"$in": wanted}, **EXISTING}, fields=["name"]) if wanted else []
    return {one["_id"]: one["name"] for one in found if isinstance(one.get("name"), str)}


def absent_problem(principal: Principal, loc: Sequence[str | int]) -> dict[str, Any]:
    """Return the error about one principal that does not exist, at a location of the input."""
    return {"loc": list(loc), "msg": f"there is no {principal[0]} {principal[1]!r}"}
