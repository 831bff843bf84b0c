"""Groups: adding one, nesting, joining."""

import secrets
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from documents import Group, User
from documents.text import text_problem
from service.clock import now
from service.database import Database
from service.errors import ConflictError, InvalidInputError, NotFoundError, invalid_input


def new_group_id() -> str:
    """Return a random id for a group that came without one."""
    return f"g-{secrets.token_hex(8)}"


async def add_group(
    database: Database, *, name: str, group_id: str | None = None, parent_id: str | None = None
) -> Group:
    """Store a new group; raise InvalidInputError, NotFoundError for the parent, ConflictError for a taken id."""
    moment = now()
    try:
        group = Group(
            id=group_id or new_group_id(), name=name, parent_id=parent_id, created_at=moment, updated_at=moment
        )
    except ValidationError as error:
        raise invalid_input(error) from None
    if parent_id is not None:
        if parent_id == group.id:
            raise InvalidInputError([{"loc": ["parent_id"], "msg": "a group can't be its own parent"}])
        await find_group(database, parent_id)
    if not await database.insert(group):
        raise ConflictError(f"The group id {group.id!r} is taken.")
    return group


async def find_group(database: Database, group_id: str) -> Group:
    """Return the group with this id; raise NotFoundError."""
    if text_problem(group_id) is None and (group := await database.get(Group, {"_id": group_id})):
        return group
    raise NotFoundError(f"There is no group with the id {group_id!r}.")


async def join_group(database: Database, group_id: str, user_ids: Iterable[str]) -> int:
    """Make existing users members of an existing group; return how many were not yet."""
    group = await find_group(database, group_id)
    query = {"_id": {"$in": list(user_ids)}, "group_ids": {"$ne": group.id}}
    change = {"$push": {"group_ids": group.id}, "$set": {"updated_at": now()}}
    return await database.update_many(User, query, change)


def ancestors(group_id: str, parents: Mapping[str, str | None]) -> list[str]:
    """Return the chain of parents above a group, nearest first; a cycle ends it with the group itself."""
    chain: list[str] = []
    current = parents.get(group_id)
    while current is not None and current not in chain:
        chain.append(current)
        current = parents.get(current)
    return chain
