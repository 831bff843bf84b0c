"""A person of the directory: who they are, what they may do, the groups they belong to."""

import unicodedata
from enum import StrEnum
from typing import Annotated

from beanie import Document
from pydantic import AfterValidator, Field

from documents.derived_keys import UserDerivedKeys
from documents.model import CreatedAt, Name, UpdatedAt
from documents.text import STORABLE, PrincipalId


class Role(StrEnum):
    """A user sees what is theirs or shared with them; an admin sees and may write all."""

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


class User(Document):
    """One person. `group_ids` are direct memberships; ancestors follow from the groups."""

    id: PrincipalId = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="Id of the user.", examples=["u-anna"]
    )
    name: Name = Field(description="Their name.", examples=["Anna Kowalska"])
    email: Email = Field(description="Their email; no two share one.", examples=["anna.kowalska@example.com"])
    username: Username | None = Field(description="Another name of theirs.", examples=["akowalska"])
    role: Role = Field(description="An admin may read and write all.", examples=["user"])
    is_active: bool = Field(description="Whether they may do anything at all.", examples=[True])
    group_ids: list[PrincipalId] = Field(
        description="The groups they are members of; by the ancestors of those they have rights too.",
        examples=[["g-engineering"]],
    )
    created_at: CreatedAt
    updated_at: UpdatedAt
    keys: UserDerivedKeys = Field(description="Derived from the other fields, for finding.")
    # Set together with a new name, email or username, and cleared once the keys of this person's records hold it
    # too: what is interrupted in between is found and finished.
    rekey_pending: bool = Field(
        default=False, description="Whether the keys of their models are still to follow a new name.", examples=[False]
    )
    # Set by the first step of a deletion: from then on this person counts as absent, and the deletion can only be
    # finished.
    leaving: bool = Field(default=False, description="Whether they are being deleted.", examples=[False])

    class Settings:
        """Where Beanie finds the users."""

        name = "users"
