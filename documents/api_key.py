"""An API key as stored: without its secret, with the SHA-256 of the whole API key."""

from enum import StrEnum
from typing import Annotated

from beanie import Document
from pydantic import Field

from documents.model import CreatedAt
from documents.moment import Moment
from documents.text import STORABLE, Identifier


class Scope(StrEnum):
    """What an API key may be used for, within the rights of its user."""

    READ = "read"
    WRITE = "write"


ApiKeyName = Annotated[str, Field(min_length=1, max_length=256), STORABLE]


class ApiKey(Document):
    """One API key of one user. `_id` is the public part of the API key."""

    id: Identifier = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="The public part of the API key.", examples=["5f0c2ab19e44d7c3"]
    )
    user_id: Identifier = Field(description="Id of the user whose API key it is.", examples=["u-anna"])
    name: ApiKeyName = Field(description="The name that the user gave it.", examples=["notebook"])
    scope: Scope = Field(description="What it may be used for, within the rights of its user.", examples=["read"])
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the whole API key; confidential.", examples=["9f86d081…"]
    )
    created_at: CreatedAt
    expires_at: Moment | None = Field(description="When it expires; null for never.", examples=["2026-09-30T00:00:00Z"])
    last_used_at: Moment | None = Field(
        description="When it was last used, to the minute.", examples=["2026-05-15T11:39:00Z"]
    )

    class Settings:
        """The collection of the API keys."""

        name = "api_keys"
