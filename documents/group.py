"""A group of people; groups nest, and members of a group have what its ancestors are granted."""

from beanie import Document

from documents.identifier import PrincipalId
from documents.model import Moment, Name


class Group(Document):
    """One group. Its members are the users whose `group_ids` name it."""

    id: PrincipalId  # type: ignore[assignment]  # Beanie declares an ObjectId
    name: Name
    parent_id: PrincipalId | None = None
    created_at: Moment
    updated_at: Moment
    # Set by the first step of a deletion: from then on the group counts as absent.
    leaving: bool = False

    class Settings:
        """Where Beanie finds the groups."""

        name = "groups"
