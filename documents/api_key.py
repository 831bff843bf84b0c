"""An API key as stored: never its secret, only the SHA-256 of the whole key."""

from enum import StrEnum
from typing import Annotated

from beanie import Document
from pydantic import Field

from documents.identifier import Identifier
from documents.model import Moment
from documents.text import STORABLE


class Scope(StrEnum):
    """What a key may be used for, at most; its owner's own rights bound it further."""

    READ = "read"
    WRITE = "write"


KeyName = Annotated[str, Field(min_length=1, max_length=256), STORABLE]


class ApiKey(Document):
    """One key of one user. `_id` is the public part of the key."""

    id: Identifier  # type: ignore[assignment]  # Beanie declares an ObjectId
    user_id: Identifier
    name: KeyName
    scope: Scope
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created_at: Moment
    expires_at: Moment | None = None
    last_used_at: Moment | None = None

    class Settings:
        """Where Beanie finds the keys."""

        name = "api_keys"
