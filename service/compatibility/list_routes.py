"""Lists and exports as clients of Open WebUI ask for them: of custom models, unless they say otherwise."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from documents.text import STORABLE
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import RightsCheck, while_entitled
from service.exporting.content import require_readable
from service.exporting.routes import ExportParams, export_models
from service.http.dependencies import (
    PAGE_PLACE,
    STREAM_PLACE,
    AdminDependency,
    CallerDependency,
    Context,
    ContextDependency,
    RightsCheckDependency,
)
from service.http.direct_route import DirectRoute
from service.http.responses import KnownETags, json_array_response, json_response
from service.http.strict_model import QueryModel
from service.listing.page import items, tags
from service.listing.page_answer import Items, PageAnswerDependency
from service.listing.params import ListParams, trimmed
from service.listing.routes import BaseParams, base_models
from service.models.history.version_ids import all_with_version_ids

# What the search box of Open WebUI takes.
MAX_QUERY_LENGTH = 500
_BASE: Match = {"base_model_id": None}
_CUSTOM: Match = {"base_model_id": {"$ne": None}}


def _none_for_any(value: Any) -> Any:
    return None if value == "any" else value


# `any` is for both, which the strict API lists when there is no `kind`.
Kind = Annotated[Literal["custom", "base"] | None, BeforeValidator(_none_for_any)]


class CompatibleListParams(ListParams):
    """The parameters of a page."""

    query: Annotated[Annotated[str, Field(max_length=MAX_QUERY_LENGTH), STORABLE] | None, BeforeValidator(trimmed)] = (
        None
    )
    kind: Kind = "custom"


class CompatibleTagParams(QueryModel):
    """The parameters of the tags."""

    kind: Kind = "custom"


class CompatibleExportParams(ExportParams):
    """The parameters of an export."""

    kind: Kind = "custom"


router = APIRouter(prefix="/models", route_class=DirectRoute)


@router.get("/list")
async def list_compatible_models(
    answer: PageAnswerDependency,
    params: Annotated[CompatibleListParams, Query()],
    context: ContextDependency,
    known: KnownETags = None,
) -> Response:
    """Return a page of the list; its items have a `version_id`, unless `fields` says what they have."""

    def completed(shown: Items) -> Items:
        return all_with_version_ids(context.database, shown)

    return await answer(params, known, completed if params.shown is None else None)


@router.get("/all", dependencies=[PAGE_PLACE])
async def list_all_models(admin: AdminDependency, context: ContextDependency, check: RightsCheckDependency) -> Response:
    """Return all models, custom ones and base models. For admins."""
    models = items(context.database, admin, {}, readers_see_params=context.settings.readers_see_params)
    return await _array(context, models, check)


@router.get("/base", dependencies=[PAGE_PLACE])
async def list_compatible_base_models(
    caller: CallerDependency,
    params: Annotated[BaseParams, Query()],
    context: ContextDependency,
    check: RightsCheckDependency,
) -> Response:
    """Return all base models that the caller may read."""
    return await _array(context, base_models(context, caller, params), check)


@router.get("/base/tags")
async def list_base_tags(admin: AdminDependency, context: ContextDependency) -> Response:
    """Return the names of all tags of base models. For admins."""
    return json_response(await tags(context.database, admin, _BASE))


@router.get("/tags")
async def list_compatible_tags(
    caller: CallerDependency, params: Annotated[CompatibleTagParams, Query()], context: ContextDependency
) -> Response:
    """Return the names of all tags of the models that a list of this kind holds."""
    return json_response(await tags(context.database, caller, _of_kind(params.kind)))


@router.get("/export", dependencies=[STREAM_PLACE])
async def export_compatible_models(
    caller: CallerDependency,
    params: Annotated[CompatibleExportParams, Query()],
    context: ContextDependency,
    check: RightsCheckDependency,
) -> Response:
    """Return the models of `id`, or all that the caller may write, so that an import takes them again."""
    if params.format is not None:
        return await export_models(caller, params, context, check)
    if params.id:
        await require_readable(context.database, caller, params.id)
        match: Match = {"_id": {"$in": params.id}}
    else:
        match = {"$and": [access_rule.writable(caller), _of_kind(params.kind)]}
    models = items(context.database, caller, match, readers_see_params=context.settings.readers_see_params)
    return await _array(context, models, check)


def _of_kind(kind: str | None) -> Match:
    return {} if kind is None else _BASE if kind == "base" else _CUSTOM


async def _array(context: Context, models: Items, check: RightsCheck) -> Response:
    return await json_array_response(while_entitled(all_with_version_ids(context.database, models), check))
