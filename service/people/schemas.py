"""What clients send to the routes of users, groups and API keys, and what the responses look like."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from documents.api_key import ApiKeyName, Scope
from documents.model import Name
from documents.text import Identifier, PrincipalId
from documents.user import Email, Role, Username
from service.errors import InvalidInputError
from service.http.json_schema import NEVER_NULL
from service.http.problems import BODY_FAILURES, COMMON_FAILURES, DONE, Responses, documented_problems
from service.http.strict_model import StrictModel
from service.models.schemas import given

MAX_IDS = 1000
MAX_EXPIRY = 253402300799  # the end of the year 9999
_Ids = Annotated[list[Identifier], Field(min_length=1, max_length=MAX_IDS)]


@contextmanager
def body_named() -> Iterator[None]:
    """Have the errors that are raised inside a block name their fields as parts of the request's body."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError([{**item, "loc": ["body", *item["loc"]]} for item in error.errors]) from None


class UserId(StrictModel):
    """The id of a user."""

    id: Identifier = Field(description="The user's id.", examples=["u-ben"])


class GroupId(StrictModel):
    """The id of a group."""

    id: Identifier = Field(description="The group's id.", examples=["g-platform"])


class _Changes(BaseModel):
    @property
    def changes(self) -> dict[str, Any]:
        """The fields that were given."""
        return self.model_dump(include=self.model_fields_set - {"id"})


class CreateUser(StrictModel):
    """A new user."""

    email: Email = Field(description="Unique, whatever its case.", examples=["ben.okafor@example.com"])
    name: Name = Field(examples=["Ben Okafor"])
    username: Username | None = Field(None, examples=["ben"])
    role: Role = Field(Role.USER, description="An `admin` may read and change everything.")
    id: PrincipalId | None = Field(None, description="Random when left out.", examples=["u-ben"])
    group_ids: Annotated[list[PrincipalId], Field(max_length=MAX_IDS)] = Field(
        default_factory=list, description="The groups of which they become a member.", examples=[["g-platform"]]
    )


class UpdateUser(UserId, _Changes):
    """New values for a user; fields that are left out keep their values."""

    name: Annotated[Name | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["Ben Okafor"])
    email: Annotated[Email | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["ben.okafor@example.com"])
    username: Username | None = Field(None, description="null removes it.", examples=["ben"])
    role: Annotated[Role | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["admin"])
    is_active: Annotated[StrictBool | None, AfterValidator(given), NEVER_NULL] = Field(
        None, description="The API keys of an inactive user are invalid until the user is active again."
    )


class TransferModels(StrictModel):
    """A transfer of models from one user to another."""

    from_user_id: Identifier = Field(description="The current owner, who may have been deleted.", examples=["u-anna"])
    to_user_id: Identifier = Field(description="The new owner, an active user.", examples=["u-ben"])
    ids: Annotated[_Ids | None, AfterValidator(given), NEVER_NULL] = Field(
        None, description="Only these models; all when left out.", examples=[["sql-tuning"]]
    )


class CreateApiKey(StrictModel):
    """A new API key."""

    name: ApiKeyName = Field(examples=["nightly script"])
    scope: Scope = Field(Scope.WRITE, description="`write` includes `read`.")
    expires_at: Annotated[int, Field(strict=True, ge=0, le=MAX_EXPIRY)] | None = Field(
        None, description="Seconds since 1970; never when left out.", examples=[4102444800]
    )


class RevokeApiKey(StrictModel):
    """The API key to revoke."""

    id: Identifier = Field(description="The API key's id.", examples=["6f1d2c3b4a596877"])


class CreateUserApiKey(CreateApiKey):
    """A new API key for a user."""

    user_id: Identifier = Field(examples=["u-ben"])


class RevokeUserApiKey(RevokeApiKey):
    """The API key of a user to revoke."""

    user_id: Identifier = Field(examples=["u-ben"])


class CreateGroup(StrictModel):
    """A new group."""

    name: Name = Field(examples=["Platform"])
    id: PrincipalId | None = Field(None, description="Random when left out.", examples=["g-platform"])
    parent_id: PrincipalId | None = Field(
        None, description="The group that this one belongs to.", examples=["g-engineering"]
    )


class UpdateGroup(GroupId, _Changes):
    """New values for a group; fields that are left out keep their values."""

    name: Annotated[Name | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["Platform"])
    parent_id: PrincipalId | None = Field(
        None, description="null moves the group to the top.", examples=["g-engineering"]
    )


class GroupMembers(GroupId):
    """A group, and users to add or remove."""

    user_ids: _Ids = Field(examples=[["u-ben"]])


class _Person(BaseModel):
    id: str = Field(examples=["u-ben"])
    name: str = Field(examples=["Ben Okafor"])
    email: str = Field(examples=["ben.okafor@example.com"])
    username: str | None = Field(examples=["ben"])
    role: Role = Field(description="An `admin` may read and change everything.", examples=["user"])


class User(_Person):
    """One user."""

    is_active: bool
    group_ids: list[str] = Field(description="The groups of which they are a direct member.", examples=[["g-platform"]])
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    updated_at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])


class UserPage(BaseModel):
    """A page of users, in order of email, whatever its case."""

    items: list[User]
    total: int = Field(description="The number of items on all pages.", examples=[1])


class Group(BaseModel):
    """One group."""

    id: str = Field(examples=["g-platform"])
    name: str = Field(examples=["Platform"])
    parent_id: str | None = Field(description="The group that it belongs to.", examples=["g-engineering"])
    members: int = Field(description="The number of direct members.", examples=[12])
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    updated_at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])


class GroupPage(BaseModel):
    """A page of groups, in order of id."""

    items: list[Group]
    total: int = Field(description="The number of items on all pages.", examples=[1])


class Me(_Person):
    """The caller."""

    scope: Scope = Field(description="The scope of the API key that was sent.", examples=["write"])
    group_ids: list[str] = Field(
        description="The groups of the caller and all ancestors of those.", examples=[["g-engineering", "g-platform"]]
    )


class TransferFailure(BaseModel):
    """A model that was not transferred."""

    id: str = Field(examples=["sql-tuning"])
    detail: str = Field(examples=["not found"])


class TransferResult(BaseModel):
    """The result of a transfer."""

    transferred: int = Field(description="The number of transferred models.", examples=[3])
    failed: list[TransferFailure] = Field(description="The models that were not transferred, and why.")


class MembersChanged(BaseModel):
    """The result of a change of members."""

    changed: int = Field(
        description="The number of users who were added or removed; for the others, nothing changed.", examples=[1]
    )


class ApiKey(BaseModel):
    """One API key, without its secret."""

    id: str = Field(examples=["6f1d2c3b4a596877"])
    name: str = Field(examples=["nightly script"])
    scope: Scope = Field(description="`write` includes `read`.", examples=["write"])
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    expires_at: int | None = Field(description="Seconds since 1970, UTC; null for never.", examples=[4102444800])
    last_used_at: int | None = Field(description="Updated at most once a minute.", examples=[1778845140])


class NewApiKey(ApiKey):
    """An API key that was just created."""

    key: str = Field(
        description="The whole API key; it is shown only this once.",
        examples=["mdk_6f1d2c3b4a596877_0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978"],
    )


REFUSED = documented_problems(HTTPStatus.FORBIDDEN, *COMMON_FAILURES)
REFUSED_OR_ABSENT = documented_problems(HTTPStatus.FORBIDDEN, *COMMON_FAILURES, HTTPStatus.NOT_FOUND)
# For routes that read a body, and for those of them that name what must exist.
REFUSED_BODY = documented_problems(*BODY_FAILURES)
REFUSED_CHANGE = documented_problems(*BODY_FAILURES, HTTPStatus.NOT_FOUND)
# For routes that delete or revoke something, that list API keys and that create one.
DELETED = {**DONE, **REFUSED_CHANGE}
LISTED_KEYS: dict[str, Any] = {"model": list[ApiKey], "description": "All API keys, oldest first."}
CREATED_KEY: Responses = {200: {"model": NewApiKey}, **REFUSED_CHANGE}
