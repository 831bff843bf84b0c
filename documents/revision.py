"""One change of a model record, kept for good."""

from enum import StrEnum
from typing import Annotated, Any

from beanie import Document
from pydantic import Field

from documents.model import Moment
from documents.text import Identifier


class Change(StrEnum):
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
    """What a record said before a change and after it; nothing before its creation, nothing after its deletion."""

    id: Identifier = Field(  # type: ignore[assignment]  # Beanie declares an ObjectId
        description="Id of the revision.", examples=["3b1f0e7c9d2a4f5686e1c0d7b9a3f214"]
    )
    model_id: Identifier = Field(description="The model that was changed; it may be deleted.", examples=["sql-tuning"])
    version: Annotated[int, Field(ge=1, lt=2**63)] = Field(
        description="The version that the change made.", examples=[3]
    )
    at: Moment = Field(description="When.", examples=["2026-05-15T11:39:00Z"])
    by: Identifier | None = Field(description="Who; null for the command line, which is nobody's.", examples=["u-anna"])
    change: Change = Field(description="What kind of change.", examples=["update"])
    before: dict[str, Any] | None = Field(
        description="What the record said before, prompts included; null for a new model.", examples=[{"name": "SQL"}]
    )
    after: dict[str, Any] | None = Field(
        description="What it said after; null for a deletion.", examples=[{"name": "SQL Tuning"}]
    )

    class Settings:
        """Where Beanie finds the revisions."""

        name = "revisions"
