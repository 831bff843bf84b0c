"""An API key as stored: never its secret, only the SHA-256 of the whole key."""

from enum import StrEnum
from typing import Annotated

from beanie import Document
from pydantic import Field

from documents.model import CreatedAt, Moment
from documents.text import STORABLE, Identifier


class Scope(StrEnum):
    """What a key may be used for, at most; its owner's own rights bound it further."""

    READ = "read"
    WRITE = "write"


ApiKeyName = Annotated[str, Field(min_length=1, max_length=256), STORABLE]


class ApiKey(Document):
    """One key of one user. `_id` is the public part of the key."""

    id: Identifier = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="The public part of the key.", examples=["5f0c2ab19e44d7c3"]
    )
    user_id: Identifier = Field(description="Whose key it is.", examples=["u-anna"])
    name: ApiKeyName = Field(description="What they call it.", examples=["notebook"])
    scope: Scope = Field(description="What it may be used for, at most.", examples=["read"])
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the whole key; nothing to show around.", examples=["9f86d081…"]
    )
    created_at: CreatedAt
    expires_at: Moment | None = Field(description="When it ends; null for never.", examples=["2026-09-30T00:00:00Z"])
    last_used_at: Moment | None = Field(
        description="When it was last used, to the minute.", examples=["2026-05-15T11:39:00Z"]
    )

    class Settings:
        """Where Beanie finds the keys."""

        name = "api_keys"
