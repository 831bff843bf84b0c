"""Whom somebody may mean who wants to share a model: people and groups that they know of anyway."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from documents import Group, ModelRecord, User
from documents.folding import fold
from documents.grant import EVERYONE, PrincipalType
from documents.text import text_problem
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.database.client import Database
from service.models.principals import EXISTING, names_of

MOST = 10
EVERYONE_NAMED = "Everyone"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A user, a group or everyone."""

    kind: PrincipalType
    id: str
    name: str

    @property
    def detail(self) -> str:
        """What kind it is, and its id."""
        return "everyone who can sign in" if self.id == EVERYONE else f"{self.kind} {self.id}"

    def is_called(self, text: str) -> bool:
        """Return whether a text is the id or the whole name, in any case."""
        return text.strip() == self.id or fold(text.strip()) == fold(self.name)


async def suggest(database: Database, caller: Caller, text: str) -> list[Suggestion]:
    """Return groups and users in whose name a text occurs, in any case, groups first.

    Admins find all. Others find the groups that they belong to, and the owners of models that they may read, because
    the API tells them of no others.
    """
    wanted = text.strip()
    if not wanted or text_problem(wanted):
        return []
    named: Match = {"name": {"$regex": re.escape(wanted), "$options": "i"}, **EXISTING}
    found = [Suggestion(PrincipalType.USER, EVERYONE, EVERYONE_NAMED)] if fold(wanted) in fold(EVERYONE_NAMED) else []
    groups = {} if caller.is_admin else {"_id": {"$in": sorted(caller.group_ids)}}
    for kind, document, known in (
        (PrincipalType.GROUP, Group, groups),
        (PrincipalType.USER, User, await _known_users(database, caller)),
    ):
        either = {"$or": [named, {"_id": wanted, **EXISTING}]}
        records = await database.find(
            document, {"$and": [known, either]}, fields=["name"], sort=[("name", 1), ("_id", 1)], limit=MOST
        )
        found += [Suggestion(kind, one["_id"], str(one.get("name"))) for one in records if isinstance(one["_id"], str)]
    return found


async def meant(database: Database, caller: Caller, text: str) -> Sequence[Suggestion]:
    """Return whom a text means: the one with that id, or else that name, or else all in whose names it occurs.

    An id that exists is taken from anyone, as the API takes it in a grant, and tells no name.
    """
    wanted = text.strip()
    found = await suggest(database, caller, wanted)
    for exact in (
        [one for one in found if one.id == wanted],
        [one for one in found if fold(one.name) == fold(wanted)],
    ):
        if exact:
            return exact
    return found or await _by_id(database, wanted)


async def _by_id(database: Database, wanted: str) -> list[Suggestion]:
    if not wanted or text_problem(wanted):
        return []
    kinds = ((PrincipalType.GROUP, Group), (PrincipalType.USER, User))
    return [
        Suggestion(kind, wanted, wanted) for kind, document in kinds if await names_of(database, document, [wanted])
    ]


async def _known_users(database: Database, caller: Caller) -> Match:
    if caller.is_admin:
        return {}
    pipeline: list[dict[str, Any]] = [{"$match": access_rule.readable(caller)}, {"$group": {"_id": "$user_id"}}]
    owners = [
        found["_id"] for found in await database.aggregate(ModelRecord, pipeline) if isinstance(found["_id"], str)
    ]
    return {"_id": {"$in": [*owners, caller.user_id]}}
