"""`GET /models/export`: what clients send, and what a bundle looks like."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from documents.text import Identifier
from service.auth.access_rule import Match
from service.auth.authentication import while_entitled
from service.exporting.content import readable_content, require_readable
from service.exporting.csv import with_byte_order_mark
from service.exporting.formats import WRITERS, ExportFormat
from service.http.dependencies import STREAM_PLACE, CallerDependency, ContextDependency, RightsCheckDependency
from service.http.problems import Responses, documented_problems
from service.http.responses import json_array_response, streamed_response
from service.http.strict_model import MAX_REPEATED, QueryModel
from service.listing.page import items
from service.listing.routes import MODELS
from service.models.schemas import Model

router = APIRouter(prefix="/models", tags=["models"])

# Parquet is only for the command line: it needs packages that a service may not have.
_Sent = Literal[ExportFormat.MODELDECK, ExportFormat.OPENWEBUI, ExportFormat.JSONL, ExportFormat.CSV]


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
    format: _Sent | None = Field(
        None, description="A file of this format. Absent: an array of models.", examples=["csv"]
    )
    bom: bool = Field(False, description="With `format=csv`: begin with a byte order mark, which Excel needs.")

    @field_validator("bom")
    @classmethod
    def _only_in_a_table(cls, bom: bool, info: ValidationInfo) -> bool:
        if bom and info.data.get("format") is not ExportFormat.CSV:
            raise ValueError("counts only together with format=csv")
        return bom


_EXPORTED: Responses = {
    **MODELS,
    200: {
        "model": list[Model] | Bundle | list[dict[str, Any]],
        "description": "An array of models, in order of id; with a `format`, a file.",
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"kind":"model","id":"sql-tuning"}\n'},
            "text/csv": {"schema": {"type": "string"}, "example": "id,name\r\nsql-tuning,SQL Tuning\r\n"},
        },
    },
    **documented_problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_URI_TOO_LONG),
}


@router.get("/export", dependencies=[STREAM_PLACE], responses=_EXPORTED)
async def export_models(
    caller: CallerDependency,
    params: Annotated[ExportParams, Query()],
    context: ContextDependency,
    check: RightsCheckDependency,
) -> Response:
    """Return all models that the caller may read, or those of `id`; 404 unless the caller may read every one of them.

    With a `format`, models that the caller may not write come without `params`, and an admin who exports all models as
    `modeldeck` or `jsonl` gets the users and groups too, for an import elsewhere.
    """
    database, readers_see_params = context.database, context.settings.readers_see_params
    match: Match = {"_id": {"$in": params.id}} if params.id else {}
    if params.id:
        await require_readable(database, caller, params.id)
    if params.format is None:
        models = items(database, caller, match, readers_see_params=readers_see_params)
        return await json_array_response(while_entitled(models, check))
    content = readable_content(database, caller, match, check, readers_see_params=readers_see_params)
    writer = WRITERS[params.format]
    headers = {"Content-Disposition": f'attachment; filename="models{writer.suffix}"'}
    parts = writer.write(content)
    return await streamed_response(with_byte_order_mark(parts) if params.bom else parts, writer.media_type, headers)
