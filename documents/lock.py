"""Locks: documents by which the database serializes changes that must not happen at the same time."""

from typing import Annotated

from beanie import Document
from pydantic import Field

from documents.text import MAX_ID_LENGTH, STORABLE

# Some names contain an id.
LockName = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH + 32), STORABLE]


class Lock(Document):
    """A lock: changes that must not happen at the same time all write to it, so that the database serializes them."""

    id: LockName = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="What the lock protects.", examples=["people"]
    )
    changes: Annotated[int, Field(ge=0, lt=2**63)] = Field(
        description="Counts the changes that took the lock; has no other use.", examples=[17]
    )

    class Settings:
        """The collection of the locks, named before they were called locks."""

        name = "guards"
