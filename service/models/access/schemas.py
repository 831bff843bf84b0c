"""What clients send to ask about access to a model, and what the responses look like."""

from pydantic import BaseModel, Field

from documents.grant import Permission
from documents.text import Identifier
from service.http.pagination import PageParams
from service.models.access.sharing import PathKind


class AccessParams(PageParams):
    """The parameters of `GET /api/models/model/access`."""

    id: Identifier = Field(description="The model's id.", examples=["sql-tuning"])
    user_id: Identifier | None = Field(
        None,
        description="Explain this user; `page` and `page_size` have no effect. Absent: everyone who may read it.",
        examples=["u-ben"],
    )


class Person(BaseModel):
    """A user."""

    id: str = Field(examples=["u-ben"])
    name: str = Field(examples=["Ben Okafor"])
    email: str | None = Field(
        description="Only for admins, and for the caller themselves.", examples=["ben.okafor@example.com"]
    )


class AccessPath(BaseModel):
    """One way in which a user gets access to a model."""

    kind: PathKind = Field(
        description="`owner` and `admin` need no grant. `user`: granted to them; `group`: to a group that they belong "
        "to; `ancestor_group`: to a group above one of those; `public`: to everyone.",
        examples=["ancestor_group"],
    )
    permission: Permission = Field(description="`write` includes `read`.")
    grant_id: str | None = Field(examples=["43114972-2dab-58d0-a43a-27ef223e89a6"])
    group_id: str | None = Field(description="The group that has the grant.", examples=["g-engineering"])
    via: list[str] = Field(
        description="From a group that the user belongs to up to `group_id`, by the shortest way; empty without one.",
        examples=[["g-platform", "g-engineering"]],
    )


class Reader(BaseModel):
    """One user who may read the model."""

    user: Person
    permission: Permission = Field(description="The highest permission of all paths.")
    paths: list[AccessPath]


class ReaderPage(BaseModel):
    """A page of the users who may read the model, in order of id; without inactive users, who may not."""

    items: list[Reader]
    total: int = Field(description="The number of items on all pages.", examples=[1])


class FormerAccess(BaseModel):
    """Until when a user could read a model that they can't read now."""

    until: int = Field(description="Seconds since 1970, UTC: when the last path was lost.", examples=[1778845140])
    paths: list[AccessPath] = Field(description="The paths that the user had until then.")


class AccessExplanation(BaseModel):
    """What one user may do, and why."""

    user: Person
    can_read: bool
    can_write: bool
    paths: list[AccessPath] = Field(description="Empty for an inactive user, who may do nothing.")
    former: FormerAccess | None = Field(
        description="How the user could read the model before, if they can't now and that is recorded: the last "
        "changes of the user, of their groups and of the sharing of the model are undone. Null where they could not, "
        "or where it is not known.",
    )
    reason: str = Field(
        description="A sentence for people.",
        examples=["This user may write the model, since it is shared with their group g-platform."],
    )
