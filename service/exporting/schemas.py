"""What an export may ask for, and what a bundle looks like."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from documents.text import Identifier
from service.exporting.formats import ExportFormat
from service.http.strict_model import MAX_REPEATED, QueryModel

# Parquet is only for the command line: it needs packages that a service may not have.
Sent = Literal[ExportFormat.MODELDECK, ExportFormat.OPENWEBUI, ExportFormat.JSONL, ExportFormat.CSV]


class Bundle(BaseModel):
    """Models with all that they contain and, for admins who ask for all, users and groups: what an import takes."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"models": [{"id": "sql-tuning", "name": "SQL Tuning"}]}]}
    )

    users: list[dict[str, Any]] = Field(default_factory=list)
    groups: list[dict[str, Any]] = Field(default_factory=list)
    models: list[dict[str, Any]]


class ExportParams(QueryModel):
    """The parameters of `GET /api/models/export`."""

    id: list[Identifier] = Field(
        default_factory=list,
        max_length=MAX_REPEATED,
        description="Repeated: only these models; else all.",
        examples=[["sql-tuning", "openai/gpt-4o"]],
    )
    format: Sent | None = Field(
        None, description="As a file of this format; else as an array of models.", examples=["csv"]
    )
