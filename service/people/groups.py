"""Groups: adding and changing them, their nesting, and their members."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from documents import Group, User
from documents.people_change import PeopleChangeKind
from service.auth.access_rule import Match
from service.clock import epoch_seconds, now
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.locks import serialized
from service.errors import ConflictError, InvalidInputError, invalid_input
from service.http.pagination import PageParams
from service.models.principals import EXISTING, require_all_existing, require_existing
from service.models.record import changed_fields
from service.people.history.recording import Occasion, recorded
from service.people.leftovers import clear_leftovers


async def add_group(
    database: Database, *, name: str, group_id: str | None = None, parent_id: str | None = None, by: str | None
) -> Group:
    """Store a new group; raise InvalidInputError for invalid fields or parent, and ConflictError for a taken id.

    `by` is the user who asks for it, None for the command line.
    """
    moment = now()
    try:
        group = Group(
            id=f"g-{secrets.token_hex(8)}" if group_id is None else group_id,
            name=name,
            parent_id=parent_id,
            created_at=moment,
            updated_at=moment,
        )
    except ValidationError as error:
        raise invalid_input(error) from None

    async def insert() -> None:
        if parent_id is not None:
            await _require_parent(database, group.id, parent_id)
        if group_id is not None:
            if await database.count(Group, {"_id": group_id}):
                raise ConflictError(f"The group id {group.id!r} is taken.")
            await clear_leftovers(database, Group, [group_id])
        async with recorded(database, Group, Occasion(by, PeopleChangeKind.CREATE), new=[group.id]):
            if not await database.insert(group):
                raise ConflictError(f"The group id {group.id!r} is taken.")

    needs_lock = group_id is not None or parent_id is not None
    await (serialized(database, insert) if needs_lock else database.in_transaction(insert))
    return group


async def update_group(database: Database, group_id: str, content: Mapping[str, Any], by: str | None) -> None:
    """Change fields of a group; raise NotFoundError, and InvalidInputError for an invalid parent.

    `by` is the user who asks for it.
    """

    async def work() -> None:
        group = await require_existing(database, Group, group_id)
        stored = {field: group[field] for field in content if field in group}
        changed = {field: content[field] for field in changed_fields(stored, content)}
        if changed.get("parent_id") is not None:
            await _require_parent(database, group_id, changed["parent_id"])
        if changed:
            change = {"$set": {**changed, "updated_at": now()}}
            async with recorded(database, Group, Occasion(by, PeopleChangeKind.UPDATE), changed={"_id": group_id}):
                await database.update_one(Group, {"_id": group_id}, change, any_shape=True)

    await (serialized(database, work) if "parent_id" in content else database.in_transaction(work))


async def _require_parent(database: Database, group_id: str, parent_id: str) -> None:
    """Raise InvalidInputError unless the parent exists and is neither the group itself nor one of its descendants."""
    if parent_id == group_id:
        raise InvalidInputError([{"loc": ["parent_id"], "msg": "a group can't be its own parent"}])
    above: list[str] = []
    current: Any = parent_id
    while isinstance(current, str) and current not in above:
        found = await database.find(Group, {"_id": current, **EXISTING}, fields=["parent_id"])
        if not found and not above:
            raise InvalidInputError([{"loc": ["parent_id"], "msg": f"there is no group {parent_id!r}"}])
        above.append(current)
        current = found[0].get("parent_id") if found else None
    if group_id in above:
        raise InvalidInputError([{"loc": ["parent_id"], "msg": "the group would be its own ancestor"}])


async def join_group(database: Database, group_id: str, user_ids: Iterable[str], by: str | None) -> int:
    """Make existing users members of an existing group; return how many were not members before."""
    return await _change_members(database, group_id, list(user_ids), PeopleChangeKind.JOIN, by)


async def leave_group(database: Database, group_id: str, user_ids: Iterable[str], by: str | None) -> int:
    """Remove existing users from an existing group; return how many were members."""
    return await _change_members(database, group_id, list(user_ids), PeopleChangeKind.LEAVE, by)


async def _change_members(
    database: Database, group_id: str, user_ids: Sequence[str], kind: PeopleChangeKind, by: str | None
) -> int:
    joins = kind is PeopleChangeKind.JOIN
    affected: Match = {"$type": "array", "$ne": group_id} if joins else {"$elemMatch": {"$eq": group_id}}

    async def work() -> int:
        await require_existing(database, Group, group_id)
        await require_all_existing(database, User, user_ids, "user_ids")
        query = {"_id": {"$in": list(user_ids)}, "group_ids": affected}
        change = {"$push" if joins else "$pull": {"group_ids": group_id}, "$set": {"updated_at": now()}}
        async with recorded(database, User, Occasion(by, kind), changed=query):
            return await database.update_many(User, query, change, any_shape=True)

    return await serialized(database, work)


def ancestors(group_id: str, parents: Mapping[str, str | None]) -> list[str]:
    """Return the ancestors of a group, nearest first; in a cycle, the last one is the group itself."""
    chain: list[str] = []
    current = parents.get(group_id)
    while current is not None and current not in chain:
        chain.append(current)
        current = parents.get(current)
    return chain


async def groups_page(database: Database, match: Match, params: PageParams) -> dict[str, Any]:
    """Return a page of the matching groups for the API."""
    # Ids of other types, which were written past the service, can't be addressed by any route.
    query = {**match, **EXISTING, "_id": {"$type": "string"}}
    found = await database.find(Group, query, sort=[("_id", 1)], skip=params.skip, limit=params.page_size)
    return {"items": await _rendered(database, found), "total": await database.count(Group, query)}


async def one_group(database: Database, group_id: str) -> dict[str, Any]:
    """Return one group for the API; raise NotFoundError."""
    return (await _rendered(database, [await require_existing(database, Group, group_id)]))[0]


async def _rendered(database: Database, found: Sequence[Record]) -> list[dict[str, Any]]:
    among = {"group_ids": {"$in": [group["_id"] for group in found]}}
    counted: list[dict[str, Any]] = [
        {"$match": {**among, **EXISTING}},
        {"$unwind": "$group_ids"},
        {"$match": among},
        {"$group": {"_id": "$group_ids", "members": {"$sum": 1}}},
    ]
    members = {group["_id"]: group["members"] for group in await database.aggregate(User, counted)}
    return [
        {
            "id": group["_id"],
            **{field: group.get(field) for field in ("name", "parent_id")},
            "members": members.get(group["_id"], 0),
            "created_at": epoch_seconds(group.get("created_at")),
            "updated_at": epoch_seconds(group.get("updated_at")),
        }
        for group in found
    ]
