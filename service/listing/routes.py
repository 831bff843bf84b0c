"""`GET /models/list`."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from documents import ModelRecord
from documents.folding import fold
from service.http.dependencies import LIST_TIME, CallerDependency, ContextDependency
from service.http.problems import COMMON_FAILURES, documented_problems
from service.http.query_params import documented, query_dependency
from service.http.responses import json_response
from service.listing.page import PageShape, render_page
from service.listing.params import ListParams
from service.listing.pipeline import list_hint, list_match, list_pipeline
from service.listing.search_statistics import SearchStatisticsDependency


def list_router(*, lenient: bool) -> APIRouter:
    """Return the list route, for the strict front door or for the compatibility door."""
    router = APIRouter(prefix="/models", tags=["models"])
    documentation: dict[str, Any] = {"parameters": documented(ListParams)}

    responses = {200: {"model": PageShape}, **documented_problems(*COMMON_FAILURES)}

    @router.get("/list", dependencies=[LIST_TIME], responses=responses, openapi_extra=documentation)
    async def list_models(
        caller: CallerDependency,
        params: Annotated[ListParams, Depends(query_dependency(ListParams, lenient=lenient))],
        context: ContextDependency,
        statistics: SearchStatisticsDependency,
    ) -> Response:
        """Search, filter, sort and page through the models that the caller may see."""
        narrowing = statistics.narrowing(fold(params.query)) if params.query else ()
        match = list_match(params, caller, narrowing)
        yielded = await context.database.aggregate(
            ModelRecord,
            list_pipeline(params, match),
            hint=list_hint(params, match),
            seconds=context.settings.list_timeout,
        )
        page = render_page(yielded, caller, readers_see_params=context.settings.readers_see_params)
        return json_response(page)

    return router
