"""What a question about access may ask for, and what the answers look like."""

from pydantic import BaseModel, Field

from documents.grant import Permission
from documents.text import Identifier
from service.http.pagination import PageParams
from service.models.access.explanation import PathKind


class AccessParams(PageParams):
    """The parameters of a question about access."""

    id: Identifier = Field(description="The model's id.", examples=["sql-tuning"])
    user_id: Identifier | None = Field(
        None,
        description="Whom to ask about; `page` and `page_size` then have no effect. Absent: everyone who may read it.",
        examples=["u-ben"],
    )


class Person(BaseModel):
    """A user, as they are now."""

    id: str = Field(examples=["u-ben"])
    name: str = Field(examples=["Ben Okafor"])
    email: str | None = Field(description="For admins, and of oneself.", examples=["ben.okafor@example.com"])


class AccessPath(BaseModel):
    """One way in which a user comes to a model."""

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
    permission: Permission = Field(description="The most that any of the paths gives.")
    paths: list[AccessPath]


class ReaderPage(BaseModel):
    """A page of those who may read the model, ordered by id; inactive users may not, so they are not counted."""

    items: list[Reader]
    total: int = Field(description="How many there are on all pages together.", examples=[1])


class AccessExplanation(BaseModel):
    """What one user may do."""

    user: Person
    can_read: bool
    can_write: bool
    paths: list[AccessPath] = Field(description="Empty for an inactive user, who may do nothing.")
    reason: str = Field(
        description="A sentence for whoever reads it.",
        examples=["This user may write the model, since it is shared with their group g-platform."],
    )
