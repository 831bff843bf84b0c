"""One change of a user or a group: what differs, before and after it."""

from enum import StrEnum
from typing import Annotated, Any

from beanie import Document
from pydantic import Field

from documents.grant import PrincipalType
from documents.moment import Moment
from documents.text import Identifier

# The fields of users and of groups whose changes are recorded.
RECORDED_FIELDS = {
    PrincipalType.USER: ("name", "email", "username", "role", "is_active", "group_ids"),
    PrincipalType.GROUP: ("name", "parent_id"),
}


class PeopleChangeKind(StrEnum):
    """What kind of change of a user or a group is recorded."""

    CREATE = "create"
    UPDATE = "update"
    JOIN = "join"
    LEAVE = "leave"
    IMPORT = "import"
    GROUP_DELETED = "group_deleted"
    REPAIR = "repair"
    DELETE = "delete"


class PeopleChange(Document):
    """What one change of a user or a group changed, stored together with it. Earlier states are found by undoing.

    Of a user, `name`, `email`, `username`, `role`, `is_active` and `group_ids` are recorded, of a group `name` and
    `parent_id`: nothing by which somebody could sign in. Users and groups that were there before this was recorded
    have no `create`.
    """

    id: Identifier = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="Id of the change.", examples=["9c1d2e3f4a5b60718293a4b5c6d7e8f9"]
    )
    principal_type: PrincipalType = Field(description="Whether a user or a group was changed.", examples=["user"])
    principal_id: Identifier = Field(
        description="Id of the changed user or group, which may no longer exist.", examples=["u-anna"]
    )
    number: Annotated[int, Field(ge=1, lt=2**63)] = Field(
        description="Counts the changes of this id from 1, without gaps; goes on when the id is used again, if the "
        "earlier ones are still kept.",
        examples=[3],
    )
    at: Moment = Field(description="When it was changed.", examples=["2026-05-15T11:39:00Z"])
    by: Identifier | None = Field(
        description="Id of the user who changed it; null for the command line.", examples=["u-kenji"]
    )
    change: PeopleChangeKind = Field(
        description="Kind of change. `import` is one of somebody who existed: whom an import adds has a `create`. "
        "`group_deleted` is what the deletion of a group changed of its members and of the groups below it. `repair` "
        "is what was removed or noticed because it had been written past the service.",
        examples=["leave"],
    )
    fields: list[str] | None = Field(
        description="The names of the fields that differ; null where the user or group is created or deleted.",
        examples=[["group_ids"]],
    )
    before: dict[str, Any] | None = Field(
        description="The fields that differ, before the change; all of them before a deletion; null for a creation.",
        examples=[{"group_ids": ["g-engineering", "g-platform"]}],
    )
    after: dict[str, Any] | None = Field(
        description="The same fields after the change; all of them after a creation; null for a deletion.",
        examples=[{"group_ids": ["g-engineering"]}],
    )

    class Settings:
        """The collection of the changes of users and groups."""

        name = "people_changes"
