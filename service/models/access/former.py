"""Until when a user could read a model that they can't read now, and by which paths: changes undone, newest first.

Only what is recorded counts. Where too much has changed to undo it all, or where it is not known what was before,
nothing is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from documents import Group, ModelRecord, PeopleChange, Revision, User
from documents.grant import PrincipalType
from documents.people_change import RECORDED_FIELDS
from service.database.client import Database
from service.database.exact_bson import Record
from service.models.access.sharing import Path, Sharing, ids, memberships, well_formed_grants
from service.models.principals import EXISTING

# Changes of the user and of the sharing of the model, of all groups, and the groups.
MAX_CHANGES, MAX_GROUP_CHANGES, MAX_GROUPS = 200, 1000, 200
_SHARING_FIELDS = ("user_id", "access_grants")


@dataclass(frozen=True, slots=True)
class FormerAccess:
    """The moment at which a user lost the last way to a model, and all ways that they had until then."""

    until: datetime
    paths: Sequence[Path]


@dataclass(frozen=True, slots=True)
class _Change:
    """What undoes a change of the user, of a group, or of the model; `before` is None for a new group."""

    at: datetime
    of: Record
    before: Record | None

    def undo(self) -> None:
        """Take the user, the group or the model back to what it was before."""
        if self.before is None:
            self.of.clear()
        else:
            self.of.update(self.before)


@dataclass(slots=True)
class _Past:
    """The user, the model and the groups, which go back in time as changes are undone; empty is a group that is gone.

    Before `known_since`, it is not known what they were.
    """

    user: Record
    model: Record
    groups: dict[str, Record] = field(default_factory=dict)
    changes: list[_Change] = field(default_factory=list)
    known_since: datetime | None = None

    def knows_since(self, moment: datetime) -> None:
        """Note that nothing is known of what was before that moment."""
        self.known_since = moment if self.known_since is None else max(self.known_since, moment)

    def paths(self) -> list[Path]:
        """Return the paths of the user to the model."""
        if self.user.get("is_active") is not True:
            return []
        grants = well_formed_grants(self.model)
        granted = {grant.principal_id for grant in grants if grant.principal_type is PrincipalType.GROUP}
        parents = {group: ids(state.get("parent_id")) for group, state in self.groups.items() if state}
        inheriting = {group: parents[group] for group in parents if granted & {*_upwards(group, parents)}}
        owner_id = self.model.get("user_id")
        return Sharing(owner_id if isinstance(owner_id, str) else None, grants, inheriting).paths(self.user)


def _upwards(group: str, parents: dict[str, list[str]]) -> Iterator[str]:
    reached = [group]
    for one in reached:
        if one in parents:
            yield one
            reached += [parent for parent in parents[one] if parent not in reached]


async def former_access(database: Database, model_id: str, user_id: str) -> FormerAccess | None:
    """Return until when a user could read a model that they can't read now; None if not, or if it is not known."""
    # A change that is made meanwhile is either in the state and recorded, or neither.
    async with database.snapshot():
        past = await _read_past(database, model_id, user_id)
    if past is None or past.paths():
        return None
    for at, changes in groupby(sorted(past.changes, key=lambda change: change.at, reverse=True), lambda one: one.at):
        if past.known_since is None or at < past.known_since:
            return None
        # Those of one transaction belong together, and a moment has only seconds.
        for change in changes:
            change.undo()
        if paths := past.paths():
            return FormerAccess(at, paths)
    return None


async def _read_past(database: Database, model_id: str, user_id: str) -> _Past | None:
    first = await database.find(PeopleChange, {}, fields=["at"], sort=[("at", 1)], limit=1)
    users = await database.find(User, {"_id": user_id, **EXISTING}, fields=RECORDED_FIELDS[PrincipalType.USER])
    models = await database.find(ModelRecord, {"_id": model_id}, fields=[*_SHARING_FIELDS, "version"])
    if not (first and users and models):
        return None
    past = _Past(users[0], models[0])
    # What was changed before anything was recorded is not known.
    past.knows_since(first[0]["at"])
    await _read_user(database, past)
    await _read_model(database, past)
    return past if await _read_groups(database, past) else None


async def _read_user(database: Database, past: _Past) -> None:
    query = {"principal_id": past.user["_id"], "principal_type": PrincipalType.USER.value}
    found = await database.find(PeopleChange, query, sort=[("number", -1)], limit=MAX_CHANGES)
    for change in found:
        if change["before"] is None or change["after"] is None:
            # Before, there was nobody, or another user of this id.
            past.knows_since(change["at"])
            return
        past.changes.append(_Change(change["at"], past.user, change["before"]))
    if found:
        past.knows_since(found[-1]["at"])


async def _read_model(database: Database, past: _Past) -> None:
    query = {"model_id": past.model["_id"], "version": {"$lte": past.model["version"]}}
    recorded = {"at": 1, "ends": {"$or": [{"$eq": ["$before", None]}, {"$eq": ["$after", None]}]}}
    pipeline: list[dict[str, Any]] = [
        # Null finds the revisions without `fields`, which hold every field.
        {"$match": {**query, "fields": {"$in": [*_SHARING_FIELDS, None]}}},
        {"$sort": {"version": -1}},
        {"$limit": MAX_CHANGES},
        {"$project": {**recorded, **{f"before.{name}": 1 for name in _SHARING_FIELDS}}},
    ]
    found = await database.aggregate(Revision, pipeline)
    oldest = await database.find(Revision, query, fields=["at"], sort=[("version", 1)], limit=1)
    for revision in oldest + found[MAX_CHANGES - 1 :]:
        past.knows_since(revision["at"])
    for revision in found:
        if revision["ends"]:
            past.knows_since(revision["at"])
            return
        past.changes.append(_Change(revision["at"], past.model, revision["before"]))


async def _read_groups(database: Database, past: _Past) -> bool:
    """Read all groups that the user was in, directly or not, and their changes; return whether they are few enough."""
    new = {group for state in _states(past, past.user) for group in memberships(state)}
    while new := new - past.groups.keys():
        if len(new) + len(past.groups) > MAX_GROUPS:
            return False
        among = sorted(new)
        stored = await database.find(Group, {"_id": {"$in": among}}, fields=["parent_id", "leaving"])
        found = {group["_id"]: group for group in stored if group.get("leaving") is not True}
        past.groups |= {group: found.get(group, {}) for group in among}
        query = {"principal_id": {"$in": among}, "principal_type": PrincipalType.GROUP.value}
        order = [("principal_id", 1), ("number", -1)]
        changes = await database.find(PeopleChange, query, sort=order, limit=MAX_GROUP_CHANGES)
        if len(changes) == MAX_GROUP_CHANGES:
            return False
        for group, of_group in groupby(changes, lambda change: change["principal_id"]):
            _undo_group(past, group, list(of_group))
        new = {parent for group in among for state in _states(past, past.groups[group]) for parent in _parents(state)}
    return True


def _undo_group(past: _Past, group: str, changes: Sequence[Record]) -> None:
    past.changes += [_Change(change["at"], past.groups[group], change["before"]) for change in changes]
    # Earlier ones, if any, were removed.
    past.knows_since(changes[-1]["at"])


def _states(past: _Past, current: Record) -> list[Record]:
    return [current, *(change.before or {} for change in past.changes if change.of is current)]


def _parents(state: Record) -> list[str]:
    return ids(state.get("parent_id"))
