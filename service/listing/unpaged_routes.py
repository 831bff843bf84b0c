"""`GET /models/base`, `/models/export` and `/models/tags`."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from documents.folding import fold
from documents.text import Identifier
from service.auth.access_rule import Match
from service.auth.authentication import Caller
from service.exporting.content import readable_content
from service.exporting.formats import WRITTEN, ExportFormat
from service.http.dependencies import MORE_TIME, CallerDependency, Context, ContextDependency
from service.http.problems import COMMON_FAILURES, documented_problems
from service.http.query_params import MAX_REPEATED, NoParams, documented, query_dependency
from service.http.responses import JSON, json_array_response, json_response, streamed_response
from service.listing.params import Tag, blank_is_absent
from service.listing.unpaged import items, require_readable, tags
from service.models.item import ItemShape

_MODELS: dict[int | str, dict[str, Any]] = {
    200: {"model": list[ItemShape], "description": "An array of models, in order of id."},
    **documented_problems(*COMMON_FAILURES),
}


class BundleShape(BaseModel):
    """Models with all that they say and, for admins who ask for all, the people: what an import takes."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"models": [{"id": "sql-tuning", "name": "SQL Tuning"}]}]}
    )

    users: list[dict[str, Any]] = Field(default_factory=list)
    groups: list[dict[str, Any]] = Field(default_factory=list)
    models: list[dict[str, Any]]


_EXPORTED: dict[int | str, dict[str, Any]] = {
    200: {
        "model": list[ItemShape] | BundleShape | list[dict[str, Any]],
        "description": "An array of models, in order of id; with a `format`, a file.",
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}, "example": '{"kind":"model","id":"sql-tuning"}\n'},
            "text/csv": {"schema": {"type": "string"}, "example": "id,name\r\nsql-tuning,SQL Tuning\r\n"},
        },
    }
}

# Refused before the service sees it, so it is no problem details.
_TOO_LONG: dict[int | str, dict[str, Any]] = {
    400: {
        "description": "The address is longer than 64 KB: ask for fewer models at once.",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": "Invalid HTTP request received."}},
    }
}
_TAGS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The names of the tags.",
        "content": {
            JSON: {"schema": {"type": "array", "items": {"type": "string"}, "examples": [["engineering", "sql"]]}}
        },
    },
    **documented_problems(*COMMON_FAILURES),
}


# A data frame is for those who have the database; it needs more than a service has.
Sent = Literal[ExportFormat.MODELDECK, ExportFormat.OPENWEBUI, ExportFormat.JSONL, ExportFormat.CSV]


class BaseParams(BaseModel):
    """What selects base models."""

    model_config = ConfigDict(frozen=True)

    tag: Annotated[Tag | None, BeforeValidator(blank_is_absent)] = Field(
        None, description="The whole name of a tag, in any case.", examples=["engineering"]
    )


class ExportParams(BaseModel):
    """What an export shall hold."""

    model_config = ConfigDict(frozen=True)

    id: list[Identifier] = Field(
        default_factory=list,
        max_length=MAX_REPEATED,
        description="Repeated: only these models; else all.",
        examples=[["sql-tuning", "openai/gpt-4o"]],
    )

    format: Sent | None = Field(
        None, description="As a file of this format; else as an array of models.", examples=["csv"]
    )

    @property
    def asked(self) -> list[str]:
        """The models that are asked for; none stands for all."""
        return self.id


class CompatibleExportParams(ExportParams):
    """The same, as existing clients ask for it."""

    ids: list[Identifier] = Field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """The models that are asked for under either name."""
        return [*self.id, *self.ids]


def inventory_router(*, lenient: bool) -> APIRouter:
    """Return the routes without pages, for the strict front door or for the compatibility door."""
    router = APIRouter(prefix="/models", tags=["models"])
    export_params = CompatibleExportParams if lenient else ExportParams

    @router.get("/base", responses=_MODELS, openapi_extra={"parameters": documented(BaseParams)})
    async def list_base_models(
        caller: CallerDependency,
        params: Annotated[BaseParams, Depends(query_dependency(BaseParams, lenient=lenient))],
        context: ContextDependency,
    ) -> Response:
        """Return all base models that the caller may read; `GET /models/list?kind=base` pages through them."""
        match: Match = {"base_model_id": None}
        if params.tag is not None:
            match["keys.tags"] = fold(params.tag.strip())
        return await _streamed(context, caller, match)

    @router.get(
        "/export",
        dependencies=[MORE_TIME],
        responses={**_MODELS, **_EXPORTED, **_TOO_LONG, **documented_problems(HTTPStatus.NOT_FOUND)},
        openapi_extra={"parameters": documented(ExportParams)},
    )
    async def export_models(
        caller: CallerDependency,
        params: Annotated[ExportParams, Depends(query_dependency(export_params, lenient=lenient))],
        context: ContextDependency,
    ) -> Response:
        """Return all models that the caller may read, or those that are asked for, if they may read every one.

        With a `format`, `params` are left out of those that the caller may not write; an admin who asks for all
        models as `modeldeck` or `jsonl` gets the users and groups too, for an import elsewhere.
        """
        match: Match = {"_id": {"$in": params.asked}} if params.asked else {}
        if params.asked:
            await require_readable(context.database, caller, params.asked)
        if params.format is None:
            return await _streamed(context, caller, match)
        return await _as_file(context, caller, match, params.format)

    @router.get("/tags", responses=_TAGS)
    async def list_tags(
        caller: CallerDependency,
        _: Annotated[NoParams, Depends(query_dependency(NoParams, lenient=lenient))],
        context: ContextDependency,
    ) -> Response:
        """Return the names of all tags of the models that the caller may read."""
        return json_response(await tags(context.database, caller))

    return router


async def _as_file(context: Context, caller: Caller, match: Match, wanted: ExportFormat) -> Response:
    shows_params = context.settings.readers_see_params
    content = readable_content(context.database, caller, match, readers_see_params=shows_params)
    written = WRITTEN[wanted]
    headers = {"Content-Disposition": f'attachment; filename="models{written.suffix}"'}
    return await streamed_response(written.write(content), written.media_type, headers)


async def _streamed(context: Context, caller: Caller, match: Match) -> Response:
    shown = items(context.database, caller, match, readers_see_params=context.settings.readers_see_params)
    return await json_array_response(shown)
