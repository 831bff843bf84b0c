"""What changes that must not happen at the same moment change together."""

from typing import Annotated

from beanie import Document
from pydantic import Field

from documents.text import MAX_ID_LENGTH, STORABLE

# Some are named after an id.
LockName = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH + 32), STORABLE]


class Lock(Document):
    """A record that each of some changes counts itself in, so that the database lets no two of them happen at once."""

    id: LockName = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="What the changes are about.", examples=["people"]
    )
    changes: Annotated[int, Field(ge=0, lt=2**63)] = Field(description="Counts them; of no other use.", examples=[17])

    class Settings:
        """Where Beanie finds the guards."""

        name = "guards"
