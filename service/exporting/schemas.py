"""What clients send to export models, and what a bundle looks like."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from documents.text import Identifier
from service.exporting.formats import ExportFormat
from service.http.strict_model import MAX_REPEATED, QueryModel

# Parquet is only for the command line: it needs packages that a service may not have.
Sent = Literal[ExportFormat.MODELDECK, ExportFormat.OPENWEBUI, ExportFormat.JSONL, ExportFormat.CSV]


class Bundle(BaseModel):
    """Models and, for admins who export all of them, users and groups, in the format that an import reads."""

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
        description="Repeatable: only these models. Absent: all.",
        examples=[["sql-tuning", "openai/gpt-4o"]],
    )
    format: Sent | None = Field(
        None, description="A file of this format. Absent: an array of models.", examples=["csv"]
    )
