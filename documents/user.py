"""A person of the directory: who they are, what they may do, the groups they belong to."""

import unicodedata
from enum import StrEnum
from typing import Annotated

from beanie import Document
from pydantic import AfterValidator, Field

from documents.identifier import PrincipalId
from documents.keys import UserKeys
from documents.model import Moment, Name
from documents.text import STORABLE


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

    id: PrincipalId  # type: ignore[assignment]  # Beanie declares an ObjectId
    name: Name
    email: Email
    username: Username | None = None
    role: Role = Role.USER
    is_active: bool = True
    group_ids: list[PrincipalId] = Field(default_factory=list)
    created_at: Moment
    updated_at: Moment
    keys: UserKeys
    # Set together with a new name, email or username, and cleared once the keys of this person's records hold it
    # too: what is interrupted in between is found and finished.
    rekey_pending: bool = False
    # Set by the first step of a deletion: from then on this person counts as absent, and the deletion can only be
    # finished.
    leaving: bool = False

    class Settings:
        """Where Beanie finds the users."""

        name = "users"
