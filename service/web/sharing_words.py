"""With whom models are shared, in words; names only of those whom the reader knows already."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from documents import Group, User
from documents.grant import EVERYONE, PrincipalType
from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.client import Database
from service.listing.params import MAX_VALUES
from service.models.principals import names_of
from service.web.words import isolated, listed, plural

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """Names of users and groups by their ids; who has none here is called by the id."""

    users: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    async def in_grants(cls, database: Database, caller: Caller, items: Iterable[Item]) -> Self:
        """Read the names of those with whom models are shared, as far as the caller may learn them.

        That is as in the explanation of access: of everybody in the grants of models that the caller manages, and else
        only of the groups that the caller belongs to.
        """
        items = list(items)
        managed = [grant for item in items if access_rule.can_manage(caller, item) for grant in grants_of(item)]
        named = {kind: set(_ids(managed, kind)) for kind in KINDS}
        own = caller.group_ids
        groups = {grant["principal_id"] for item in items for grant in grants_of(item)} & own | named["group"]
        users = (named["user"] | {caller.user_id}) - {EVERYONE}
        return cls(*await asyncio.gather(names_of(database, User, users), names_of(database, Group, groups)))

    def user(self, user_id: str) -> str:
        """Return the name of a user, or the id."""
        return self.users.get(user_id, user_id)

    def group(self, group_id: str) -> str:
        """Return the name of a group, or the id."""
        return self.groups.get(group_id, group_id)

    def of(self, grant: Item) -> str:
        """Return whom a grant names."""
        if grant["principal_type"] == PrincipalType.GROUP:
            return self.group(grant["principal_id"])
        return "everyone" if grant["principal_id"] == EVERYONE else self.user(grant["principal_id"])


KINDS = tuple(kind.value for kind in PrincipalType)


def asked_groups(caller: Caller) -> list[str]:
    """Return the caller's groups in order, to ask for the models of any of them; none when they are too many to ask."""
    groups = sorted(caller.group_ids)
    return groups if len(groups) <= MAX_VALUES else []


def grants_of(item: Item) -> list[Item]:
    """Return the grants of an item that can be read; what was written past the service may be anything."""
    stored = item.get("access_grants")
    needed = ("principal_type", "principal_id", "permission")
    return [
        grant
        for grant in (stored if isinstance(stored, list) else ())
        if isinstance(grant, Mapping) and all(isinstance(grant.get(name), str) for name in needed)
    ]


def shared_with(item: Item, names: Names) -> str:
    """Return in a few words with whom a model is shared, besides its owner: `2 groups and Ann`."""
    grants = grants_of(item)
    groups = _ids(grants, PrincipalType.GROUP)
    users = _ids(grants, PrincipalType.USER)
    if EVERYONE in users:
        return "everyone"
    parts = []
    if groups:
        parts.append(isolated(names.group(groups[0])) if len(groups) == 1 else plural(len(groups), "group"))
    if users:
        parts.append(isolated(names.user(users[0])) if len(users) == 1 else plural(len(users), "person", "people"))
    return listed(parts) if parts else "nobody else"


def sharing_icon(item: Item) -> str:
    """Return the icon for how widely a model is shared."""
    grants = grants_of(item)
    if EVERYONE in _ids(grants, PrincipalType.USER):
        return "globe"
    return "group" if grants else "lock"


def _ids(grants: Sequence[Item], kind: str) -> list[str]:
    return list(dict.fromkeys(grant["principal_id"] for grant in grants if grant["principal_type"] == kind))
