"""A group of people; groups nest, and members of a group have what its ancestors are granted."""

from beanie import Document
from pydantic import Field

from documents.model import CreatedAt, Name, UpdatedAt
from documents.text import PrincipalId


class Group(Document):
    """One group. Its members are the users whose `group_ids` name it."""

    id: PrincipalId = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="Id of the group.", examples=["g-platform"]
    )
    name: Name = Field(description="Its name.", examples=["Platform"])
    parent_id: PrincipalId | None = Field(
        description="The group that it belongs to, if any.", examples=["g-engineering"]
    )
    created_at: CreatedAt
    updated_at: UpdatedAt
    # Set by the first step of a deletion: from then on the group counts as absent.
    leaving: bool = Field(default=False, description="Whether it is being deleted.", examples=[False])

    class Settings:
        """Where Beanie finds the groups."""

        name = "groups"
