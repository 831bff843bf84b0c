"""The routes for admins to manage users, transfer their models, and manage their API keys."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from documents import User
from documents.folding import fold
from documents.text import STORABLE, Identifier
from documents.user import Role
from service.auth.access_rule import Match
from service.http.dependencies import (
    MORE_TIME,
    AdminDependency,
    AdminWriterDependency,
    BulkWorkDependency,
    ContextDependency,
    PeoplePlaceDependency,
)
from service.http.json_body import json_body
from service.http.pagination import PageParams
from service.http.responses import json_response
from service.http.strict_model import QueryModel
from service.listing.params import MAX_QUERY_LENGTH, blank_is_absent
from service.people import api_keys, deletion, schemas, users
from service.people.history.pages import history_page
from service.people.history.schemas import PeopleChangePage

router = APIRouter(prefix="/users", tags=["people"])

_Query = Annotated[str, Field(max_length=MAX_QUERY_LENGTH), STORABLE]


class UserParams(QueryModel):
    """The parameters of a request for one user."""

    id: Identifier = Field(description="The user's id.", examples=["u-ben"])


class UsersParams(PageParams):
    """The parameters of a page of users."""

    query: Annotated[_Query | None, BeforeValidator(blank_is_absent)] = Field(
        None,
        description="Part of the name, email or username; any case, taken literally. Blank counts as absent.",
        examples=["okafor"],
    )
    role: Role | None = Field(None, description="Absent: both.", examples=["admin"])
    is_active: Literal["true", "false"] | None = Field(None, description="Absent: both.")
    group_id: Identifier | None = Field(None, description="Only direct members of this group.", examples=["g-platform"])

    @property
    def match(self) -> Match:
        """The match fragment for the selected users."""
        match: Match = {}
        if self.query is not None:
            match["keys.text"] = {"$regex": re.escape(fold(self.query))}
        if self.role is not None:
            match["role"] = self.role.value
        if self.is_active is not None:
            match["is_active"] = self.is_active == "true"
        if self.group_id is not None:
            match["group_ids"] = self.group_id
        return match


class UserHistoryParams(PageParams):
    """The parameters of a page of the history of a user."""

    id: Identifier = Field(description="The id of a user, who may have been deleted.", examples=["u-ben"])


class UserApiKeysParams(QueryModel):
    """The parameters of a request for the API keys of a user."""

    user_id: Identifier = Field(description="The user's id.", examples=["u-ben"])


@router.get("", responses={200: {"model": schemas.UserPage}, **schemas.REFUSED})
async def list_users(
    _: AdminDependency,
    params: Annotated[UsersParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return the users, in order of email. For admins."""
    return json_response(await users.users_page(context.database, params.match, params))


@router.get("/user", responses={200: {"model": schemas.User}, **schemas.REFUSED_OR_ABSENT})
async def get_user(
    _: AdminDependency,
    params: Annotated[UserParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return one user. For admins."""
    return json_response(await users.one_user(context.database, params.id))


@router.get("/history", responses={200: {"model": PeopleChangePage}, **schemas.REFUSED_OR_ABSENT})
async def list_user_changes(
    _: AdminDependency,
    params: Annotated[UserHistoryParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return the changes of a user, newest first: of name, role, state and direct memberships. For admins.

    Those of a deleted user too. What was changed before this was recorded, and what was removed since, is missing.
    """
    return json_response(await history_page(context.database, User, params.id, params))


@router.post("/create", responses={200: {"model": schemas.User}, **schemas.REFUSED_BODY})
async def create_user(
    admin: AdminWriterDependency,
    body: Annotated[schemas.CreateUser, json_body(schemas.CreateUser)],
    context: ContextDependency,
) -> Response:
    """Create a user; `POST /users/keys/create` creates an API key for them. For admins.

    The id of a deleted user can be used again; the new user then owns the models that the earlier one left.
    """
    with schemas.body_named():
        new = {**body.model_dump(exclude={"id"}), "user_id": body.id, "by": admin.user_id}
        user = await users.add_user(context.database, **new)
    return json_response(await users.one_user(context.database, user.id))


@router.post("/update", dependencies=[MORE_TIME], responses={200: {"model": schemas.User}, **schemas.REFUSED_CHANGE})
async def update_user(
    admin: AdminWriterDependency,
    body: Annotated[schemas.UpdateUser, json_body(schemas.UpdateUser)],
    context: ContextDependency,
    _: PeoplePlaceDependency,
) -> Response:
    """Change the given fields of a user; the others stay. For admins.

    Their models are found by a new name at once. 409 for a change after which there would be no active admin.
    """
    await users.update_user(context.database, body.id, body.changes, admin.user_id)
    return json_response(await users.one_user(context.database, body.id))


@router.post("/delete", dependencies=[MORE_TIME], responses=schemas.DELETED)
async def delete_user(
    admin: AdminWriterDependency,
    body: Annotated[schemas.UserId, json_body(schemas.UserId)],
    context: ContextDependency,
    _: PeoplePlaceDependency,
) -> Response:
    """Delete a user, their API keys and all grants to them. For admins, who can delete themselves too.

    409 for the last active admin. The models of the user stay, without an owner, until `POST /users/transfer`. The
    user loses all access as soon as the deletion begins; if it is interrupted, send it again.
    """
    await deletion.delete_user(context.database, body.id, admin.user_id)
    return json_response(content=True)


@router.post(
    "/transfer",
    dependencies=[MORE_TIME],
    responses={200: {"model": schemas.TransferResult}, **schemas.REFUSED_BODY},
)
async def transfer_models(
    admin: AdminWriterDependency,
    body: Annotated[schemas.TransferModels, json_body(schemas.TransferModels)],
    context: ContextDependency,
    work: BulkWorkDependency,
) -> Response:
    """Make another user the owner of a user's models, of all or of some. For admins.

    Grants stay as they are. A model of `ids` that the earlier owner does not own is reported as `not found`. If it is
    interrupted, send it again.
    """
    with work.place(), schemas.body_named():
        transferred = await users.transfer_models(context.database, body, admin.user_id, work.check)
    return json_response(transferred)


@router.get("/keys", responses={200: schemas.LISTED_KEYS, **schemas.REFUSED_OR_ABSENT})
async def list_user_keys(
    _: AdminDependency,
    params: Annotated[UserApiKeysParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return the API keys of a user, oldest first, without their secrets. For admins."""
    return json_response(await api_keys.api_keys_of(context.database, params.user_id))


@router.post("/keys/create", responses=schemas.CREATED_KEY)
async def create_user_key(
    admin: AdminWriterDependency,
    body: Annotated[schemas.CreateUserApiKey, json_body(schemas.CreateUserApiKey)],
    context: ContextDependency,
) -> Response:
    """Create an API key for a user. For admins.

    It gives at most the rights of that user, and expires no later than the API key that is sent.
    """
    key = await api_keys.create_api_key_for(context.database, admin, body.user_id, body)
    return json_response(key, api_keys.NOT_KEPT)


@router.post("/keys/revoke", responses=schemas.DELETED)
async def revoke_user_key(
    _: AdminWriterDependency,
    body: Annotated[schemas.RevokeUserApiKey, json_body(schemas.RevokeUserApiKey)],
    context: ContextDependency,
) -> Response:
    """Revoke an API key of a user; it is invalid from the next request on. For admins."""
    await api_keys.revoke_api_key(context.database, body.user_id, body.id)
    return json_response(content=True)
