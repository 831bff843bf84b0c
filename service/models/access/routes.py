"""`GET /models/model/access`: who may read and write a model, and why."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.http.dependencies import CallerDependency, ContextDependency
from service.http.problems import COMMON_FAILURES, Responses, documented_problems
from service.http.responses import json_response
from service.models.access.explanation import explain_all, explain_one
from service.models.access.schemas import AccessExplanation, AccessParams, ReaderPage

_RESPONSES: Responses = {
    200: {
        "model": ReaderPage | AccessExplanation,
        "description": "A page of users; with `user_id`, what that user may do.",
    },
    **documented_problems(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *COMMON_FAILURES),
}


router = APIRouter(prefix="/models", tags=["access"])


@router.get("/model/access", responses=_RESPONSES)
async def explain_access(
    caller: CallerDependency, params: Annotated[AccessParams, Query()], context: ContextDependency
) -> Response:
    """Return who may read and write a model and by which paths, or whether and why one user may.

    For the owner and admins; about themselves, all who may read the model can ask. So an owner learns the ids and
    names of those whom they share a model with, by a group or with everyone too. A key that is for
    reading only can take away from what its user may do, which is not looked at here.
    """
    if params.user_id is not None:
        return json_response(await explain_one(context.database, caller, params.id, params.user_id))
    return json_response(await explain_all(context.database, caller, params.id, params))
