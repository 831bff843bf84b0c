"""Users and groups as the API shows them to admins."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from documents import Group, User
from documents.user import Role
from service.auth.access_rule import Match
from service.clock import epoch_seconds
from service.database.client import Database
from service.database.exact_bson import Record
from service.http.pagination import PageParams
from service.models.principals import EXISTING, require_existing


class UserShape(BaseModel):
    """One user."""

    id: str = Field(examples=["u-ben"])
    name: str = Field(examples=["Ben Okafor"])
    email: str = Field(examples=["ben.okafor@example.com"])
    username: str | None = Field(examples=["ben"])
    role: Role = Field(description="An `admin` sees and may change everything.", examples=["user"])
    is_active: bool
    group_ids: list[str] = Field(
        description="The groups of which they are a member themselves.", examples=[["g-platform"]]
    )
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    updated_at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])


class UsersShape(BaseModel):
    """A page of users, in order of email, whatever its case."""

    items: list[UserShape]
    total: int = Field(description="How many there are on all pages together.", examples=[1])


class GroupShape(BaseModel):
    """One group."""

    id: str = Field(examples=["g-platform"])
    name: str = Field(examples=["Platform"])
    parent_id: str | None = Field(description="The group that it belongs to.", examples=["g-engineering"])
    members: int = Field(description="How many users are a member of it themselves.", examples=[12])
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    updated_at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])


class GroupsShape(BaseModel):
    """A page of groups, in order of id."""

    items: list[GroupShape]
    total: int = Field(description="How many there are on all pages together.", examples=[1])


# No route takes another id.
_SHOWABLE: Match = {"_id": {"$type": "string"}}


async def users_page(database: Database, match: Match, params: PageParams) -> dict[str, Any]:
    """Return a page of the users that match."""
    query = {**match, **EXISTING, **_SHOWABLE}
    order = [("keys.email", 1), ("_id", 1)]
    found = await database.find(User, query, sort=order, skip=params.skip, limit=params.page_size)
    return {"items": [_user(user) for user in found], "total": await database.count(User, query)}


async def one_user(database: Database, user_id: str) -> dict[str, Any]:
    """Return one user; raise NotFoundError."""
    return _user(await require_existing(database, User, user_id))


async def groups_page(database: Database, match: Match, params: PageParams) -> dict[str, Any]:
    """Return a page of the groups that match."""
    query = {**match, **EXISTING, **_SHOWABLE}
    found = await database.find(Group, query, sort=[("_id", 1)], skip=params.skip, limit=params.page_size)
    return {"items": await _groups(database, found), "total": await database.count(Group, query)}


async def one_group(database: Database, group_id: str) -> dict[str, Any]:
    """Return one group; raise NotFoundError."""
    return (await _groups(database, [await require_existing(database, Group, group_id)]))[0]


def _user(user: Mapping[str, Any]) -> dict[str, Any]:
    # Others can write to the collection: what they left out must not take the whole page with it.
    return {
        "id": user["_id"],
        **{field: user.get(field) for field in ("name", "email", "username", "role")},
        "is_active": user.get("is_active") is True,
        "group_ids": user["group_ids"] if isinstance(user.get("group_ids"), list) else [],
        "created_at": epoch_seconds(user.get("created_at")),
        "updated_at": epoch_seconds(user.get("updated_at")),
    }


async def _groups(database: Database, found: Sequence[Record]) -> list[dict[str, Any]]:
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
