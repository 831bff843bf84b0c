"""Why a user may read or write a model: the paths from the user to the model by its owner, its grants and groups.

`service.auth.access_rule` decides by the derived keys of a record. This module reaches the same result from the fields
that they are derived from.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from documents import Group, ModelRecord, User
from documents.grant import EVERYONE, Permission, PrincipalType
from documents.user import Role
from indexes.views.expressions import only
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ForbiddenError, NotFoundError
from service.http.pagination import PageParams
from service.models.operations import HIDDEN, NOT_MANAGED
from service.models.principals import EXISTING

NO_USER = "There is no user with this id."
_USER_FIELDS = ("name", "email", "role", "is_active", "group_ids")


class PathKind(StrEnum):
    """How a user gets access to a model, in the order of the response."""

    OWNER = "owner"
    ADMIN = "admin"
    USER = "user"
    GROUP = "group"
    ANCESTOR_GROUP = "ancestor_group"
    PUBLIC = "public"


_ORDER = list(PathKind)
_REASONS = {
    PathKind.OWNER: "they own it",
    PathKind.ADMIN: "they are an admin",
    PathKind.USER: "it is shared with them",
    PathKind.GROUP: "it is shared with their group {group}",
    PathKind.ANCESTOR_GROUP: "it is shared with the group {group}, an ancestor of their group {own}",
    PathKind.PUBLIC: "it is shared with everyone",
}


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
        owner_id, stored = record.get("user_id"), record.get("access_grants")
        listed = stored if isinstance(stored, list) else ()
        grants = [grant for item in listed if (grant := _well_formed(item))]
        granted = sorted({grant.principal_id for grant in grants if grant.principal_type is PrincipalType.GROUP})
        groups = await database.aggregate(Group, groups_pipeline(granted)) if granted else []
        return cls(
            owner_id=owner_id if isinstance(owner_id, str) and owner_id != EVERYONE else None,
            grants=grants,
            parents={group["_id"]: _ids(group.get("parent_id")) for group in groups if isinstance(group["_id"], str)},
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
        below = self._below(_memberships(user))
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


async def explain_all(
    database: Database, caller: Caller, model_id: str, page: PageParams, *, named: str | None = None
) -> dict[str, Any]:
    """Return a page of the users who may read a model for the API, in order of id.

    With `named`, only those in whose name this text occurs, in any case.
    Raises NotFoundError when the model is absent or hidden from the caller, ForbiddenError when the caller may not
    manage its grants.
    """
    record = await _require_explainable(database, caller, model_id, of_others=True)
    sharing = await Sharing.of(database, record)
    query = sharing.readers()
    if named is not None:
        # The name alone: an owner may not learn the email addresses of others, not even by trying.
        query["name"] = {"$regex": re.escape(named), "$options": "i"}
    order = [("_id", 1)]
    found = await database.find(User, query, fields=_USER_FIELDS, sort=order, skip=page.skip, limit=page.page_size)
    items = [_item(user, sharing.paths(user), caller) for user in found]
    return {"items": items, "total": await database.count(User, query)}


async def explain_one(database: Database, caller: Caller, model_id: str, user_id: str) -> dict[str, Any]:
    """Return whether one user may read and write a model, and why; raises as `explain_all` does.

    Callers may ask about themselves even if they may not manage the grants of the model.
    """
    record = await _require_explainable(database, caller, model_id, of_others=user_id != caller.user_id)
    found = await database.find(User, {"_id": user_id, **EXISTING}, fields=_USER_FIELDS)
    if not found:
        raise NotFoundError(NO_USER)
    user = found[0]
    is_active = user.get("is_active") is True
    paths = (await Sharing.of(database, record)).paths(user) if is_active else []
    best = _best(paths)
    return {
        "user": _shown(user, caller),
        "can_read": best is not None,
        "can_write": best is not None and best.permission is Permission.WRITE,
        "paths": paths,
        "reason": _reason(best) if is_active else "This user is inactive and may do nothing.",
    }


async def _require_explainable(database: Database, caller: Caller, model_id: str, *, of_others: bool) -> Record:
    match = {"_id": model_id, **access_rule.readable(caller)}
    found = await database.find(ModelRecord, match, fields=["user_id", "access_grants"])
    if not found:
        raise NotFoundError(HIDDEN)
    if of_others and not access_rule.can_manage(caller, found[0]):
        raise ForbiddenError(NOT_MANAGED)
    return found[0]


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


def _well_formed(grant: Any) -> Grant | None:
    if not isinstance(grant, dict) or not isinstance(grant.get("principal_id"), str):
        return None
    try:
        kind, permission = PrincipalType(str(grant.get("principal_type"))), Permission(str(grant.get("permission")))
    except ValueError:
        return None
    grant_id = grant.get("id")
    return Grant(grant_id if isinstance(grant_id, str) else None, kind, grant["principal_id"], permission)


def _ids(value: Any) -> list[str]:
    # As $graphLookup does in authentication: a single id counts like a list of one.
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _memberships(user: Record) -> list[str]:
    # As in authentication: anything but a list is no membership.
    return _ids(user["group_ids"]) if isinstance(user.get("group_ids"), list) else []


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


def _best(paths: Sequence[Path]) -> Path | None:
    writing = (path for path in paths if path.permission is Permission.WRITE)
    return next(writing, next(iter(paths), None))


def _reason(best: Path | None) -> str:
    if best is None:
        return "This user may not read the model: it is neither theirs nor shared with them, their groups or everyone."
    reason = _REASONS[best.kind].format(group=best.group_id, own=next(iter(best.via), None))
    return f"This user may {best.permission} the model, since {reason}."


def _shown(user: Record, caller: Caller) -> dict[str, Any]:
    # Sharing with a group or with everyone reveals who the readers are, but not their email addresses.
    email = user.get("email") if caller.is_admin or user["_id"] == caller.user_id else None
    return {"id": user["_id"], "name": user.get("name"), "email": email}


def _item(user: Record, paths: Sequence[Path], caller: Caller) -> dict[str, Any]:
    best = _best(paths)
    return {"user": _shown(user, caller), "permission": best.permission if best else None, "paths": paths}
