"""How a model is shared: its owner, its grants, and the groups through which somebody gets one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from documents import Group
from documents.grant import EVERYONE, Permission, PrincipalType
from documents.user import Role
from indexes.views.expressions import only
from service.auth.access_rule import Match
from service.database.client import Database
from service.database.exact_bson import Record


class PathKind(StrEnum):
    """How a user gets access to a model, in the order of the response."""

    OWNER = "owner"
    ADMIN = "admin"
    USER = "user"
    GROUP = "group"
    ANCESTOR_GROUP = "ancestor_group"
    PUBLIC = "public"


_ORDER = list(PathKind)


@dataclass(frozen=True, slots=True)
class Path:
    """One path to a model; `via` leads from a group of the user up to the group that has the grant."""

    kind: PathKind
    permission: Permission
    grant_id: str | None = None
    group_id: str | None = None
    via: Sequence[str] = ()


class Grant(NamedTuple):
    """A well-formed stored grant."""

    id: str | None
    principal_type: PrincipalType
    principal_id: str
    permission: Permission


@dataclass(frozen=True, slots=True)
class Sharing:
    """The owner and grants of a record, and the parents of each group that has or inherits one of the grants."""

    owner_id: str | None
    grants: Sequence[Grant]
    parents: Mapping[str, Sequence[str]]

    @classmethod
    async def of(cls, database: Database, record: Record) -> "Sharing":
        """Read how a record is shared. Malformed values in it or in its groups give no right."""
        owner_id, grants = record.get("user_id"), well_formed_grants(record)
        granted = sorted({grant.principal_id for grant in grants if grant.principal_type is PrincipalType.GROUP})
        groups = await database.aggregate(Group, groups_pipeline(granted)) if granted else []
        return cls(
            owner_id=owner_id if isinstance(owner_id, str) and owner_id != EVERYONE else None,
            grants=grants,
            parents={group["_id"]: ids(group.get("parent_id")) for group in groups if isinstance(group["_id"], str)},
        )

    def readers(self) -> Match:
        """Return the query for all users who may read the record, that is, for whom `paths` finds a path."""
        active: Match = {"_id": {"$type": "string"}, "is_active": only(True)}
        named = [grant.principal_id for grant in self.grants if grant.principal_type is PrincipalType.USER]
        if EVERYONE in named:
            return active
        named += [self.owner_id] if self.owner_id is not None else []
        members = {"group_ids": {"$in": list(self.parents), "$type": "array"}}
        ways = [{"role": only(Role.ADMIN)}, {"_id": {"$in": named}}, members]
        return {**active, "$or": ways}

    def paths(self, user: Record) -> list[Path]:
        """Return all paths of an active user to the record, in the order of their kinds and then of the grants."""
        below = self._below(memberships(user))
        found = [path for grant in self.grants if (path := _path(grant, user["_id"], below))]
        if user["_id"] == self.owner_id:
            found.append(Path(PathKind.OWNER, Permission.WRITE))
        if user.get("role") == Role.ADMIN:
            found.append(Path(PathKind.ADMIN, Permission.WRITE))
        return sorted(found, key=lambda path: _ORDER.index(path.kind))

    def _below(self, own: Sequence[str]) -> dict[str, str | None]:
        """Return each group that members of `own` belong to, with the next group on the shortest way down to `own`."""
        below: dict[str, str | None] = {group: None for group in sorted(own) if group in self.parents}
        # Breadth first; each group is visited once, so that a cycle ends.
        reached = list(below)
        for group in reached:
            for parent in self.parents[group]:
                if parent in self.parents and parent not in below:
                    below[parent] = group
                    reached.append(parent)
        return below


def groups_pipeline(granted: Sequence[str]) -> list[dict[str, Any]]:
    """Return the pipeline on `groups` that yields the granted groups that exist, then all groups below them.

    A granted group that is below another one is yielded twice.
    """
    granted_ones = {"$match": {"_id": {"$in": list(granted)}}}
    needed = {"$project": {"parent_id": 1}}
    descent = {
        "from": Group.Settings.name,
        "startWith": "$granted",
        "connectFromField": "_id",
        "connectToField": "parent_id",
        "as": "group",
    }
    # One descent for all, so that a group below several granted ones is visited once.
    below: list[dict[str, Any]] = [
        granted_ones,
        {"$group": {"_id": None, "granted": {"$push": "$_id"}}},
        {"$graphLookup": descent},
        {"$unwind": "$group"},
        {"$replaceWith": "$group"},
        needed,
    ]
    return [granted_ones, needed, {"$unionWith": {"coll": Group.Settings.name, "pipeline": below}}]


def well_formed_grants(record: Record) -> list[Grant]:
    """Return the grants of a stored model; malformed ones give no right."""
    stored = record.get("access_grants")
    return [grant for item in (stored if isinstance(stored, list) else ()) if (grant := _well_formed(item))]


def _well_formed(grant: Any) -> Grant | None:
    if not isinstance(grant, dict) or not isinstance(grant.get("principal_id"), str):
        return None
    try:
        kind, permission = PrincipalType(str(grant.get("principal_type"))), Permission(str(grant.get("permission")))
    except ValueError:
        return None
    grant_id = grant.get("id")
    return Grant(grant_id if isinstance(grant_id, str) else None, kind, grant["principal_id"], permission)


def ids(value: Any) -> list[str]:
    """Return the ids in a stored value, which may have any type if it was written past the service."""
    # As $graphLookup does in authentication: a single id counts like a list of one.
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def memberships(user: Record) -> list[str]:
    """Return the groups that a stored user is a direct member of."""
    # As in authentication: anything but a list is no membership.
    return ids(user["group_ids"]) if isinstance(user.get("group_ids"), list) else []


def _path(grant: Grant, user_id: str, below: Mapping[str, str | None]) -> Path | None:
    if grant.principal_type is PrincipalType.USER:
        kinds = {user_id: PathKind.USER, EVERYONE: PathKind.PUBLIC}
        kind = kinds.get(grant.principal_id)
        return Path(kind, grant.permission, grant.id) if kind else None
    if grant.principal_id not in below:
        return None
    via: list[str] = []
    group: str | None = grant.principal_id
    while group is not None:
        via.append(group)
        group = below[group]
    kind = PathKind.GROUP if len(via) == 1 else PathKind.ANCESTOR_GROUP
    return Path(kind, grant.permission, grant.id, grant.principal_id, via[::-1])
