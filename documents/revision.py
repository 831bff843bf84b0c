"""One change of a model record, kept for good."""

from enum import StrEnum
from typing import Annotated, Any

from beanie import Document
from pydantic import Field

from documents.identifier import Identifier
from documents.model import Moment


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

    id: Identifier  # type: ignore[assignment]  # Beanie declares an ObjectId
    model_id: Identifier
    version: Annotated[int, Field(ge=1, lt=2**63)]
    at: Moment
    # Nobody, when the change came by the command line.
    by: Identifier | None
    change: Change
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    class Settings:
        """Where Beanie finds the revisions."""

        name = "revisions"
