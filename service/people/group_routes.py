"""The routes with which admins keep the groups: list, read, create, update, delete, and who is a member."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from documents import Group
from documents.text import Identifier
from service.http.dependencies import MORE_TIME, AdminDependency, AdminWriterDependency, ContextDependency
from service.http.json_body import json_body
from service.http.pagination import PageParams
from service.http.query_params import QueryModel
from service.http.responses import json_response
from service.models.principals import require_existing
from service.people import deletion, groups
from service.people.responses import ABSENT, CONFLICTING, DONE, REFUSED, REFUSED_BODY, Responses
from service.people.schemas import CreateGroupForm, GroupIdForm, MembersForm, UpdateGroupForm, body_named
from service.people.shown import GroupShape, GroupsShape, UsersShape, groups_page, one_group, users_page

router = APIRouter(prefix="/groups", tags=["people"])


class GroupParams(QueryModel):
    """The parameters of a request for one group."""

    id: Identifier = Field(description="The group's id.", examples=["g-platform"])


class GroupsParams(PageParams):
    """What selects groups, and the page of them."""

    parent_id: Identifier | None = Field(
        None, description="Only the groups right below this one. Absent: all.", examples=["g-engineering"]
    )


class MembersParams(PageParams):
    """Whose members, and the page of them."""

    id: Identifier = Field(description="The group's id.", examples=["g-platform"])


class ChangedShape(BaseModel):
    """What became of a change of members."""

    changed: int = Field(description="How many joined or left; the others had already.", examples=[1])


_CHANGED: Responses = {200: {"model": ChangedShape}, **REFUSED_BODY, **ABSENT}


@router.get("", responses={200: {"model": GroupsShape}, **REFUSED})
async def list_groups(
    _: AdminDependency,
    params: Annotated[GroupsParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return the groups, in order of id. For admins."""
    match = {} if params.parent_id is None else {"parent_id": params.parent_id}
    return json_response(await groups_page(context.database, match, params))


@router.get(
    "/group",
    responses={200: {"model": GroupShape}, **REFUSED, **ABSENT},
)
async def get_group(
    _: AdminDependency,
    params: Annotated[GroupParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return one group. For admins."""
    return json_response(await one_group(context.database, params.id))


@router.post(
    "/create",
    responses={200: {"model": GroupShape}, **REFUSED_BODY, **CONFLICTING},
)
async def create_group(
    _: AdminWriterDependency, form: Annotated[CreateGroupForm, json_body(CreateGroupForm)], context: ContextDependency
) -> Response:
    """Create a group; its members have what is granted to it and to all groups above it. For admins."""
    with body_named():
        group = await groups.add_group(context.database, name=form.name, group_id=form.id, parent_id=form.parent_id)
    return json_response(await one_group(context.database, group.id))


@router.post(
    "/update",
    dependencies=[MORE_TIME],
    responses={200: {"model": GroupShape}, **REFUSED_BODY, **ABSENT},
)
async def update_group(
    _: AdminWriterDependency, form: Annotated[UpdateGroupForm, json_body(UpdateGroupForm)], context: ContextDependency
) -> Response:
    """Change what is given of a group; the rest stays. It can't come to stand below itself. For admins."""
    with body_named():
        await groups.update_group(context.database, form.id, form.said)
    return json_response(await one_group(context.database, form.id))


@router.post(
    "/delete",
    dependencies=[MORE_TIME],
    responses={**DONE, **REFUSED_BODY, **ABSENT, **CONFLICTING},
)
async def delete_group(
    admin: AdminWriterDependency, form: Annotated[GroupIdForm, json_body(GroupIdForm)], context: ContextDependency
) -> Response:
    """Delete a group and all grants to it; the groups right below it go up to its parent. For admins.

    Its memberships end as soon as this begins; when it is interrupted, send it again.
    """
    await deletion.delete_group(context.database, form.id, admin.user_id)
    return json_response(content=True)


@router.get(
    "/members",
    responses={200: {"model": UsersShape}, **REFUSED, **ABSENT},
)
async def list_members(
    _: AdminDependency,
    params: Annotated[MembersParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return the users who are a member of a group themselves, in order of email. For admins."""
    group = await require_existing(context.database, Group, params.id)
    return json_response(await users_page(context.database, {"group_ids": group["_id"]}, params))


@router.post(
    "/members/add",
    dependencies=[MORE_TIME],
    responses=_CHANGED,
)
async def add_members(
    _: AdminWriterDependency, form: Annotated[MembersForm, json_body(MembersForm)], context: ContextDependency
) -> Response:
    """Make users members of a group, all or none of them. For admins."""
    with body_named():
        changed = await groups.join_group(context.database, form.id, form.user_ids)
    return json_response({"changed": changed})


@router.post(
    "/members/remove",
    dependencies=[MORE_TIME],
    responses=_CHANGED,
)
async def remove_members(
    _: AdminWriterDependency, form: Annotated[MembersForm, json_body(MembersForm)], context: ContextDependency
) -> Response:
    """End the memberships of users in a group, of all or of none. For admins."""
    with body_named():
        changed = await groups.leave_group(context.database, form.id, form.user_ids)
    return json_response({"changed": changed})
