"""One change of a model record: what differs, before and after it."""

from enum import StrEnum
from typing import Annotated, Any

from beanie import Document
from pydantic import Field

from documents.moment import Moment
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
    """What one change of a model changed. Its whole content at a version is found by undoing later changes.

    A side is whole where the other one is null; both are whole where `fields` is absent, as earlier versions of the
    service wrote them. `user_id` is on each side, whether it differs or not.
    """

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
    change: ChangeKind = Field(
        description="Kind of change. A new model has a `create`, whoever made it; earlier versions of the service "
        "wrote `import` or `sync` for one that was imported.",
        examples=["update"],
    )
    imported: bool = Field(
        False,
        description="True where an import or a sync created the model, for which `change` is `create`.",
        examples=[False],
    )
    fields: list[str] | None = Field(
        None,
        description="The names of the fields that differ; null where a model is created or deleted.",
        examples=[["name"]],
    )
    image_kept: bool = Field(
        False,
        description="True where `meta` differs and its embedded image does not: `profile_image_url` is null on both "
        "sides.",
        examples=[False],
    )
    before: dict[str, Any] | None = Field(
        description="The fields that differ, and `user_id`, before the change, with prompts; null for a new model "
        "and for an imported revision.",
        examples=[{"user_id": "u-anna", "name": "SQL"}],
    )
    after: dict[str, Any] | None = Field(
        description="The same fields after the change; null for a deletion.",
        examples=[{"user_id": "u-anna", "name": "SQL Tuning"}],
    )

    class Settings:
        """The collection of the revisions."""

        name = "revisions"
