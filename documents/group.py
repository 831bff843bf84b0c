"""A group of users. Groups nest: members of a group also have the grants of its ancestors."""

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
    parent_id: PrincipalId | None = Field(description="Id of its parent group, if any.", examples=["g-engineering"])
    created_at: CreatedAt
    updated_at: UpdatedAt
    # Set by the first step of a deletion; from then on the group counts as absent.
    leaving: bool = Field(default=False, description="Whether it is being deleted.", examples=[False])

    class Settings:
        """The collection of the groups."""

        name = "groups"
