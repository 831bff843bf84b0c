"""The routes for admins to manage groups and their members."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from documents import Group
from documents.text import Identifier
from service.http.dependencies import (
    MORE_TIME,
    AdminDependency,
    AdminWriterDependency,
    ContextDependency,
    PeoplePlaceDependency,
)
from service.http.json_body import json_body
from service.http.pagination import PageParams
from service.http.problems import Responses
from service.http.responses import json_response
from service.http.strict_model import QueryModel
from service.models.principals import require_existing
from service.people import deletion, groups, schemas, users
from service.people.history.pages import history_page
from service.people.history.schemas import PeopleChangePage

router = APIRouter(prefix="/groups", tags=["people"])


class GroupParams(QueryModel):
    """The parameters of a request for one group."""

    id: Identifier = Field(description="The group's id.", examples=["g-platform"])


class GroupsParams(PageParams):
    """The parameters of a page of groups."""

    parent_id: Identifier | None = Field(
        None, description="Only the direct children of this group. Absent: all.", examples=["g-engineering"]
    )


class MembersParams(PageParams):
    """The parameters of a page of members."""

    id: Identifier = Field(description="The group's id.", examples=["g-platform"])


class GroupHistoryParams(PageParams):
    """The parameters of a page of the history of a group."""

    id: Identifier = Field(description="The id of a group, which may have been deleted.", examples=["g-platform"])


_CHANGED: Responses = {200: {"model": schemas.MembersChanged}, **schemas.REFUSED_CHANGE}


@router.get("", responses={200: {"model": schemas.GroupPage}, **schemas.REFUSED})
async def list_groups(
    _: AdminDependency,
    params: Annotated[GroupsParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return the groups, in order of id. For admins."""
    match = {} if params.parent_id is None else {"parent_id": params.parent_id}
    return json_response(await groups.groups_page(context.database, match, params))


@router.get("/group", responses={200: {"model": schemas.Group}, **schemas.REFUSED_OR_ABSENT})
async def get_group(
    _: AdminDependency,
    params: Annotated[GroupParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return one group. For admins."""
    return json_response(await groups.one_group(context.database, params.id))


@router.get("/history", responses={200: {"model": PeopleChangePage}, **schemas.REFUSED_OR_ABSENT})
async def list_group_changes(
    _: AdminDependency,
    params: Annotated[GroupHistoryParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return the changes of a group, newest first: of its name and its parent. For admins.

    Those of a deleted group too. Who joined and left it is in the history of the users.
    """
    return json_response(await history_page(context.database, Group, params.id, params))


@router.post("/create", responses={200: {"model": schemas.Group}, **schemas.REFUSED_BODY})
async def create_group(
    admin: AdminWriterDependency,
    body: Annotated[schemas.CreateGroup, json_body(schemas.CreateGroup)],
    context: ContextDependency,
) -> Response:
    """Create a group; its members get what is granted to it and to all its ancestors. For admins."""
    with schemas.body_named():
        group = await groups.add_group(
            context.database, name=body.name, group_id=body.id, parent_id=body.parent_id, by=admin.user_id
        )
    return json_response(await groups.one_group(context.database, group.id))


@router.post("/update", dependencies=[MORE_TIME], responses={200: {"model": schemas.Group}, **schemas.REFUSED_CHANGE})
async def update_group(
    admin: AdminWriterDependency,
    body: Annotated[schemas.UpdateGroup, json_body(schemas.UpdateGroup)],
    context: ContextDependency,
    _: PeoplePlaceDependency,
) -> Response:
    """Change the given fields of a group; the others stay. A group can't become its own ancestor. For admins."""
    with schemas.body_named():
        await groups.update_group(context.database, body.id, body.changes, admin.user_id)
    return json_response(await groups.one_group(context.database, body.id))


@router.post("/delete", dependencies=[MORE_TIME], responses=schemas.DELETED)
async def delete_group(
    admin: AdminWriterDependency,
    body: Annotated[schemas.GroupId, json_body(schemas.GroupId)],
    context: ContextDependency,
    _: PeoplePlaceDependency,
) -> Response:
    """Delete a group and all grants to it; its direct children move up to its parent. For admins.

    Its memberships end as soon as the deletion begins; if it is interrupted, send it again.
    """
    await deletion.delete_group(context.database, body.id, admin.user_id)
    return json_response(content=True)


@router.get("/members", responses={200: {"model": schemas.UserPage}, **schemas.REFUSED_OR_ABSENT})
async def list_members(
    _: AdminDependency,
    params: Annotated[MembersParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return the direct members of a group, in order of email. For admins."""
    group = await require_existing(context.database, Group, params.id)
    return json_response(await users.users_page(context.database, {"group_ids": group["_id"]}, params))


@router.post("/members/add", dependencies=[MORE_TIME], responses=_CHANGED)
async def add_members(
    admin: AdminWriterDependency,
    body: Annotated[schemas.GroupMembers, json_body(schemas.GroupMembers)],
    context: ContextDependency,
    _: PeoplePlaceDependency,
) -> Response:
    """Add users to a group, all or none of them. For admins."""
    with schemas.body_named():
        changed = await groups.join_group(context.database, body.id, body.user_ids, admin.user_id)
    return json_response({"changed": changed})


@router.post("/members/remove", dependencies=[MORE_TIME], responses=_CHANGED)
async def remove_members(
    admin: AdminWriterDependency,
    body: Annotated[schemas.GroupMembers, json_body(schemas.GroupMembers)],
    context: ContextDependency,
    _: PeoplePlaceDependency,
) -> Response:
    """Remove users from a group, all or none of them. For admins."""
    with schemas.body_named():
        changed = await groups.leave_group(context.database, body.id, body.user_ids, admin.user_id)
    return json_response({"changed": changed})
