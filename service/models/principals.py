"""Whom grants can name: users and groups that exist and are not on their way out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from documents import Group, User
from documents.grant import EVERYONE, PrincipalType
from service.database import Database
from service.errors import InvalidInputError
from service.present import PRESENT

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
            staying = {"_id": {"$in": ids}, **PRESENT}
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
