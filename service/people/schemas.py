"""What admins may say of people and groups, route by route."""

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
from service.http.problems import BODY_FAILURES, COMMON_FAILURES, documented_problems
from service.http.strict_model import StrictModel
from service.models.schemas import given

MAX_IDS = 1000
MAX_EXPIRY = 253402300799  # the end of the year 9999
_Ids = Annotated[list[Identifier], Field(min_length=1, max_length=MAX_IDS)]


@contextmanager
def body_named() -> Iterator[None]:
    """Place what is refused inside a block in the body of the request, where it was said."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError([{**item, "loc": ["body", *item["loc"]]} for item in error.errors]) from None


class UserId(StrictModel):
    """Names a user, and nothing more."""

    id: Identifier = Field(description="The user's id.", examples=["u-ben"])


class GroupId(StrictModel):
    """Names a group, and nothing more."""

    id: Identifier = Field(description="The group's id.", examples=["g-platform"])


class _ChangeForm(BaseModel):
    @property
    def said(self) -> dict[str, Any]:
        """The values that were given."""
        return self.model_dump(include=self.model_fields_set - {"id"})


class CreateUser(StrictModel):
    """A new user."""

    email: Email = Field(description="No two users share one, in whatever case.", examples=["ben.okafor@example.com"])
    name: Name = Field(examples=["Ben Okafor"])
    username: Username | None = Field(None, examples=["ben"])
    role: Role = Field(Role.USER, description="An `admin` sees and may change everything.")
    id: PrincipalId | None = Field(None, description="Random when left out.", examples=["u-ben"])
    group_ids: Annotated[list[PrincipalId], Field(max_length=MAX_IDS)] = Field(
        default_factory=list, description="Groups of which they shall be a member.", examples=[["g-platform"]]
    )


class UpdateUser(UserId, _ChangeForm):
    """New values for a user; what is left out stays as it is."""

    name: Annotated[Name | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["Ben Okafor"])
    email: Annotated[Email | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["ben.okafor@example.com"])
    username: Username | None = Field(None, description="null takes it away.", examples=["ben"])
    role: Annotated[Role | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["admin"])
    is_active: Annotated[StrictBool | None, AfterValidator(given), NEVER_NULL] = Field(
        None, description="The keys of an inactive user do not count, until they are active again."
    )


class TransferModels(StrictModel):
    """Whose models become whose."""

    from_user_id: Identifier = Field(description="The owner, who may be deleted already.", examples=["u-anna"])
    to_user_id: Identifier = Field(description="The new owner, an active user.", examples=["u-ben"])
    ids: Annotated[_Ids | None, AfterValidator(given), NEVER_NULL] = Field(
        None, description="Only these models; all when left out.", examples=[["sql-tuning"]]
    )


class CreateApiKey(StrictModel):
    """A new key."""

    name: ApiKeyName = Field(examples=["nightly script"])
    scope: Scope = Field(Scope.WRITE, description="`write` includes `read`.")
    expires_at: Annotated[int, Field(strict=True, ge=0, le=MAX_EXPIRY)] | None = Field(
        None, description="Seconds since 1970; never when left out.", examples=[4102444800]
    )


class RevokeApiKey(StrictModel):
    """The key to revoke."""

    id: Identifier = Field(description="The key's id.", examples=["6f1d2c3b4a596877"])


class CreateUserApiKey(CreateApiKey):
    """A new key of a user's."""

    user_id: Identifier = Field(examples=["u-ben"])


class RevokeUserApiKey(RevokeApiKey):
    """The key of a user's to revoke."""

    user_id: Identifier = Field(examples=["u-ben"])


class CreateGroup(StrictModel):
    """A new group."""

    name: Name = Field(examples=["Platform"])
    id: PrincipalId | None = Field(None, description="Random when left out.", examples=["g-platform"])
    parent_id: PrincipalId | None = Field(
        None, description="The group that this one belongs to.", examples=["g-engineering"]
    )


class UpdateGroup(GroupId, _ChangeForm):
    """New values for a group; what is left out stays as it is."""

    name: Annotated[Name | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["Platform"])
    parent_id: PrincipalId | None = Field(
        None, description="null lifts the group to the top.", examples=["g-engineering"]
    )


class GroupMembers(GroupId):
    """A group, and users who shall join or leave it."""

    user_ids: _Ids = Field(examples=[["u-ben"]])


class User(BaseModel):
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


class UserPage(BaseModel):
    """A page of users, in order of email, whatever its case."""

    items: list[User]
    total: int = Field(description="How many there are on all pages together.", examples=[1])


class Group(BaseModel):
    """One group."""

    id: str = Field(examples=["g-platform"])
    name: str = Field(examples=["Platform"])
    parent_id: str | None = Field(description="The group that it belongs to.", examples=["g-engineering"])
    members: int = Field(description="How many users are a member of it themselves.", examples=[12])
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    updated_at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])


class GroupPage(BaseModel):
    """A page of groups, in order of id."""

    items: list[Group]
    total: int = Field(description="How many there are on all pages together.", examples=[1])


class Me(BaseModel):
    """Who is asking."""

    id: str = Field(examples=["u-ben"])
    name: str = Field(examples=["Ben Okafor"])
    email: str = Field(examples=["ben.okafor@example.com"])
    username: str | None = Field(examples=["ben"])
    role: Role = Field(description="An `admin` sees and may change everything.", examples=["user"])
    scope: Scope = Field(description="Of the key that was sent.", examples=["write"])
    group_ids: list[str] = Field(
        description="The groups of the caller and all ancestors of those.", examples=[["g-engineering", "g-platform"]]
    )


class TransferFailure(BaseModel):
    """A model that was not transferred."""

    id: str = Field(examples=["sql-tuning"])
    detail: str = Field(examples=["not found"])


class TransferResult(BaseModel):
    """What became of a transfer."""

    transferred: int = Field(description="How many.", examples=[3])
    failed: list[TransferFailure] = Field(description="Those that were not, and why.")


class MembersChanged(BaseModel):
    """What became of a change of members."""

    changed: int = Field(description="How many joined or left; the others had already.", examples=[1])


class ApiKey(BaseModel):
    """One key, without its secret."""

    id: str = Field(examples=["6f1d2c3b4a596877"])
    name: str = Field(examples=["nightly script"])
    scope: Scope = Field(description="`write` includes `read`.", examples=["write"])
    created_at: int = Field(description="Seconds since 1970, UTC.", examples=[1774109455])
    expires_at: int | None = Field(description="Seconds since 1970, UTC; null for never.", examples=[4102444800])
    last_used_at: int | None = Field(description="Kept up to date once a minute.", examples=[1778845140])


class NewApiKey(ApiKey):
    """A key that was just made."""

    key: str = Field(
        description="The whole key: this is the only time that it is shown.",
        examples=["mdk_6f1d2c3b4a596877_0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978"],
    )


Responses = dict[int | str, dict[str, Any]]

REFUSED = documented_problems(HTTPStatus.FORBIDDEN, *COMMON_FAILURES)
ABSENT = documented_problems(HTTPStatus.NOT_FOUND)
CONFLICTING = documented_problems(HTTPStatus.CONFLICT)
# Of every route that reads a body.
REFUSED_BODY = documented_problems(*BODY_FAILURES)
DONE: Responses = {200: {"description": "`true`", "model": bool}}
# The answer of a route that lists API keys.
LISTED_KEYS: dict[str, Any] = {"model": list[ApiKey], "description": "All keys, oldest first."}
