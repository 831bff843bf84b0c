"""What admins may say of people and groups, route by route."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from documents.model import Name
from documents.text import Identifier, PrincipalId
from documents.user import Email, Role, Username
from service.errors import InvalidInputError
from service.http.form import Form
from service.http.json_schema import NEVER_NULL
from service.models.schemas import given
from service.people.api_key_schemas import KeyForm, RevokeForm

MAX_IDS = 1000
_Ids = Annotated[list[Identifier], Field(min_length=1, max_length=MAX_IDS)]


@contextmanager
def body_named() -> Iterator[None]:
    """Place what is refused inside a block in the body of the request, where it was said."""
    try:
        yield
    except InvalidInputError as error:
        raise InvalidInputError([{**item, "loc": ["body", *item["loc"]]} for item in error.errors]) from None


class UserIdForm(Form):
    """Names a user, and nothing more."""

    id: Identifier = Field(description="The user's id.", examples=["u-ben"])


class GroupIdForm(Form):
    """Names a group, and nothing more."""

    id: Identifier = Field(description="The group's id.", examples=["g-platform"])


class _ChangeForm(BaseModel):
    @property
    def said(self) -> dict[str, Any]:
        """The values that were given."""
        return self.model_dump(include=self.model_fields_set - {"id"})


class CreateUserForm(Form):
    """A new user."""

    email: Email = Field(description="No two users share one, in whatever case.", examples=["ben.okafor@example.com"])
    name: Name = Field(examples=["Ben Okafor"])
    username: Username | None = Field(None, examples=["ben"])
    role: Role = Field(Role.USER, description="An `admin` sees and may change everything.")
    id: PrincipalId | None = Field(None, description="Random when left out.", examples=["u-ben"])
    group_ids: Annotated[list[PrincipalId], Field(max_length=MAX_IDS)] = Field(
        default_factory=list, description="Groups of which they shall be a member.", examples=[["g-platform"]]
    )


class UpdateUserForm(UserIdForm, _ChangeForm):
    """New values for a user; what is left out stays as it is."""

    name: Annotated[Name | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["Ben Okafor"])
    email: Annotated[Email | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["ben.okafor@example.com"])
    username: Username | None = Field(None, description="null takes it away.", examples=["ben"])
    role: Annotated[Role | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["admin"])
    is_active: Annotated[StrictBool | None, AfterValidator(given), NEVER_NULL] = Field(
        None, description="The keys of an inactive user do not count, until they are active again."
    )


class TransferForm(Form):
    """Whose models become whose."""

    from_user_id: Identifier = Field(description="The owner, who may be deleted already.", examples=["u-anna"])
    to_user_id: Identifier = Field(description="The new owner, an active user.", examples=["u-ben"])
    ids: Annotated[_Ids | None, AfterValidator(given), NEVER_NULL] = Field(
        None, description="Only these models; all when left out.", examples=[["sql-tuning"]]
    )


class UserKeyForm(KeyForm):
    """A new key of a user's."""

    user_id: Identifier = Field(examples=["u-ben"])


class RevokeUserKeyForm(RevokeForm):
    """The key of a user's to revoke."""

    user_id: Identifier = Field(examples=["u-ben"])


class CreateGroupForm(Form):
    """A new group."""

    name: Name = Field(examples=["Platform"])
    id: PrincipalId | None = Field(None, description="Random when left out.", examples=["g-platform"])
    parent_id: PrincipalId | None = Field(
        None, description="The group that this one belongs to.", examples=["g-engineering"]
    )


class UpdateGroupForm(GroupIdForm, _ChangeForm):
    """New values for a group; what is left out stays as it is."""

    name: Annotated[Name | None, AfterValidator(given), NEVER_NULL] = Field(None, examples=["Platform"])
    parent_id: PrincipalId | None = Field(
        None, description="null lifts the group to the top.", examples=["g-engineering"]
    )


class MembersForm(GroupIdForm):
    """A group, and users who shall join or leave it."""

    user_ids: _Ids = Field(examples=[["u-ben"]])
