"""One change of a model record, kept permanently."""

from enum import StrEnum
from typing import Annotated, Any

from beanie import Document
from pydantic import Field

from documents.model import Moment
from documents.text import Identifier


class ChangeKind(StrEnum):
    """What kind of change a revision records."""

    CREATE = "create"
    UPDATE = "update"
    TOGGLE = "toggle"
    ACCESS = "access"
    RESTORE = "restore"
    TRANSFER = "transfer"
    IMPORT = "import"
    SYNC = "sync"
    DELETE = "delete"


class Revision(Document):
    """The content of a model before and after one change; null before its creation and after its deletion."""

    id: Identifier = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="Id of the revision.", examples=["3b1f0e7c9d2a4f5686e1c0d7b9a3f214"]
    )
    model_id: Identifier = Field(
        description="Id of the changed model, which may no longer exist.", examples=["sql-tuning"]
    )
    version: Annotated[int, Field(ge=1, lt=2**63)] = Field(description="The version after the change.", examples=[3])
    at: Moment = Field(description="When it was changed.", examples=["2026-05-15T11:39:00Z"])
    by: Identifier | None = Field(
        description="Id of the user who changed it; null for the command line.", examples=["u-anna"]
    )
    change: ChangeKind = Field(description="Kind of change.", examples=["update"])
    before: dict[str, Any] | None = Field(
        description="The content before, with prompts; null for a new model.", examples=[{"name": "SQL"}]
    )
    after: dict[str, Any] | None = Field(
        description="The content after; null for a deletion.", examples=[{"name": "SQL Tuning"}]
    )

    class Settings:
        """The collection of the revisions."""

        name = "revisions"
