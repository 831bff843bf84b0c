"""The routes of a model's history: list revisions, read one, compare versions, restore."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from starlette.convertors import StringConvertor, register_url_convertor

from documents.revision import ChangeKind
from service.http.dependencies import CallerDependency, ContextDependency, WriterDependency
from service.http.json_body import json_body
from service.http.problems import COMMON_FAILURES, documented_problems
from service.http.responses import json_response
from service.models.history import revisions, schemas
from service.models.operations import ChangeRequest
from service.models.routes import CHANGED, VersionDependency, answer_with_model

_REFUSALS = documented_problems(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, *COMMON_FAILURES)


class _RevisionConvertor(StringConvertor):
    """The id of a revision in a path; it does not match the last part of other paths, such as `restore`."""

    name = "revision"
    regex = "[0-9a-f]{32}"


# The path of one revision.
ONE = f"/{{revision:{_RevisionConvertor.name}}}"

register_url_convertor(_RevisionConvertor.name, _RevisionConvertor())


RevisionId = Annotated[
    str,
    Path(
        pattern=f"^{_RevisionConvertor.regex}$", description="The revision's id.", examples=[schemas.EXAMPLE_REVISION]
    ),
]

router = APIRouter(prefix="/models/model/history", tags=["history"])


@router.get("", responses={200: {"model": schemas.RevisionPage}, **_REFUSALS})
async def list_revisions(
    caller: CallerDependency, params: Annotated[schemas.HistoryParams, Query()], context: ContextDependency
) -> Response:
    """Return the revisions of a model, newest first. For those who may change it: revisions contain prompts."""
    return json_response(await revisions.page(context.database, caller, params))


@router.get(
    "/diff",
    responses={200: {"model": list[schemas.RevisionDifference], "description": "All differences."}, **_REFUSALS},
)
async def compare_versions(
    caller: CallerDependency,
    params: Annotated[schemas.DifferenceParams, Query()],
    context: ContextDependency,
) -> Response:
    """Return what differs between two versions of a model."""
    return json_response(await revisions.compare(context.database, caller, params.id, params.earlier, params.later))


@router.post("/restore", responses=CHANGED)
async def restore_revision(
    caller: WriterDependency,
    version: VersionDependency,
    body: Annotated[schemas.RestoreRevision, json_body(schemas.RestoreRevision)],
    context: ContextDependency,
) -> Response:
    """Restore the content of a model after a revision, as a new version; grants and owner stay as they are."""
    request = ChangeRequest(caller, body.id, ChangeKind.RESTORE, version)
    await revisions.restore(context.database, request, body.revision)
    return await answer_with_model(context, caller, body.id)


@router.get(ONE, responses={200: {"model": schemas.Revision}, **_REFUSALS})
async def get_revision(
    caller: CallerDependency,
    revision: RevisionId,
    context: ContextDependency,
) -> Response:
    """Return one revision of a model, with the content before and after it."""
    return json_response(await revisions.whole_revision(context.database, caller, revision))
