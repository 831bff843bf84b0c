"""A user of the directory: name and email, role, and group memberships."""

import unicodedata
from enum import StrEnum
from typing import Annotated

from beanie import Document
from pydantic import AfterValidator, Field

from documents.derived_keys import UserDerivedKeys
from documents.model import CreatedAt, Name, UpdatedAt
from documents.text import STORABLE, PrincipalId


class Role(StrEnum):
    """A `user` has access to their own models and those shared with them; an `admin` may read and write everything."""

    USER = "user"
    ADMIN = "admin"


def _email(text: str) -> str:
    local, at, domain = text.rpartition("@")
    unfit = any(character.isspace() or unicodedata.category(character) == "Cc" for character in text)
    if not (local and at and domain) or unfit:
        raise ValueError("must be an email address")
    return text


Email = Annotated[str, Field(min_length=3, max_length=320), STORABLE, AfterValidator(_email)]
Username = Annotated[str, Field(min_length=1, max_length=256), STORABLE]
SessionStamp = Annotated[str, Field(min_length=1, max_length=256), STORABLE]


class User(Document):
    """One user. `group_ids` are direct memberships; ancestor groups follow from the groups."""

    id: PrincipalId = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="Id of the user.", examples=["u-anna"]
    )
    name: Name = Field(description="Their name.", examples=["Anna Kowalska"])
    email: Email = Field(description="Their email, unique ignoring case.", examples=["anna.kowalska@example.com"])
    username: Username | None = Field(description="Another name, also searched.", examples=["akowalska"])
    role: Role = Field(description="An admin may read and write everything.", examples=["user"])
    is_active: bool = Field(description="Whether they may use the service.", examples=[True])
    session_stamp: SessionStamp | None = Field(
        default=None,
        description="Of a user of Open WebUI: the `session_stamp` that their tokens must claim, if they claim any.",
        examples=["f2c1b0de-5a7e-4a53-9d0b-7f4c2f6f6c1e"],
    )
    group_ids: list[PrincipalId] = Field(
        description="The groups they are direct members of; the ancestors of these groups give them rights too.",
        examples=[["g-engineering"]],
    )
    created_at: CreatedAt
    updated_at: UpdatedAt
    keys: UserDerivedKeys = Field(
        description="Derived keys: computed from the other fields, for search and uniqueness."
    )
    # Set together with a new name, email or username, and cleared after the derived keys of this user's models were
    # refreshed, so that an interrupted refresh is found and finished.
    rekey_pending: bool = Field(
        default=False, description="Whether the derived keys of their models still need a refresh.", examples=[False]
    )
    # Set by the first step of a deletion; from then on this user counts as absent, and the deletion can only be
    # finished.
    leaving: bool = Field(default=False, description="Whether they are being deleted.", examples=[False])

    class Settings:
        """The collection of the users."""

        name = "users"
