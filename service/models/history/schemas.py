"""What clients send to the routes of a model's history, and what the responses look like."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from documents.revision import ChangeKind
from documents.text import Identifier
from service.http.pagination import PageParams, whole_number
from service.http.strict_model import QueryModel
from service.models.schemas import ModelId

EXAMPLE_REVISION = "5f0c7a9e3b6d4e218c1f90a2b3c4d5e6"

# The next version is looked up too, and must also fit into 64 bits.
WholeNumber = Annotated[int, Field(ge=1, lt=2**63 - 1), BeforeValidator(whole_number)]


class HistoryParams(PageParams):
    """The parameters of a page of history."""

    id: Identifier = Field(description="The model's id.", examples=["sql-tuning"])


class DifferenceParams(QueryModel):
    """The parameters of a comparison."""

    id: Identifier = Field(description="The model's id.", examples=["sql-tuning"])
    earlier: WholeNumber = Field(description="A version of the model.", examples=[1])
    later: WholeNumber = Field(description="Another version of it.", examples=[2])


class RestoreRevision(ModelId):
    """The revision to restore."""

    revision: Identifier = Field(description="The id of a revision in its history.", examples=[EXAMPLE_REVISION])


class RevisionSummary(BaseModel):
    """One revision in a page of history."""

    id: str = Field(examples=[EXAMPLE_REVISION])
    model_id: str = Field(examples=["sql-tuning"])
    version: int = Field(description="The version after the change.", examples=[2])
    at: int = Field(description="Seconds since 1970, UTC.", examples=[1778845140])
    by: str | None = Field(description="The user who made it; null for the command line.", examples=["u-anna"])
    change: ChangeKind = Field(examples=["update"])
    fields: list[str] = Field(description="The fields that differ.", examples=[["name"]])


class RevisionPage(BaseModel):
    """A page of history."""

    items: list[RevisionSummary]
    total: int = Field(description="The number of items on all pages.", examples=[1])


class Revision(RevisionSummary):
    """One revision."""

    before: dict[str, Any] | None = Field(
        description="The content before the change; null for a new model.", examples=[{"name": "SQL Helper"}]
    )
    after: dict[str, Any] | None = Field(
        description="The content after the change; null for a deletion.", examples=[{"name": "SQL Tuning"}]
    )


class RevisionDifference(BaseModel):
    """One difference; without `before` or `after` where the value is absent."""

    path: str = Field(description="A JSON pointer.", examples=["/name"])
    before: Any = Field(None, examples=["SQL Helper"])
    after: Any = Field(None, examples=["SQL Tuning"])
