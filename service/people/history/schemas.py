"""What the answers of `GET /users/history` and `GET /groups/history` look like."""

from typing import Any

from pydantic import BaseModel, Field

from documents.grant import PrincipalType
from documents.people_change import PeopleChangeKind


class PeopleChange(BaseModel):
    """One change of a user or a group."""

    id: str = Field(examples=["9c1d2e3f4a5b60718293a4b5c6d7e8f9"])
    principal_type: PrincipalType = Field(description="Whether a user or a group was changed.", examples=["user"])
    principal_id: str = Field(examples=["u-ben"])
    number: int = Field(description="Counts the changes of this id.", examples=[3])
    at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])
    by: str | None = Field(description="The user who made it; null for the command line.", examples=["u-anna"])
    change: PeopleChangeKind = Field(
        description="`group_deleted`: changed by the deletion of a group, which its members lose and from which its "
        "children move up; `repair`: something written past the service was removed.",
        examples=["leave"],
    )
    fields: list[str] = Field(description="The fields that differ.", examples=[["group_ids"]])
    before: dict[str, Any] | None = Field(
        description="The fields that differ, before the change; null for a creation.",
        examples=[{"group_ids": ["g-engineering", "g-platform"]}],
    )
    after: dict[str, Any] | None = Field(
        description="The same fields after the change; null for a deletion.",
        examples=[{"group_ids": ["g-engineering"]}],
    )


class PeopleChangePage(BaseModel):
    """A page of the history of a user or a group, newest first."""

    items: list[PeopleChange]
    total: int = Field(description="The number of items on all pages.", examples=[1])
