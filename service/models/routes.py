"""The routes of single models: read, create, update, toggle, share, delete."""

import re
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field, WithJsonSchema

from documents.freeform import json_bytes
from documents.revision import ChangeKind
from documents.text import Identifier
from service.auth.authentication import Caller
from service.errors import InvalidInputError
from service.http.compatibility import is_compatible
from service.http.dependencies import Context, ContextDependency, WriterDependency, context_of, get_caller
from service.http.direct_route import DirectRoute
from service.http.etags import ANY, TAG_PATTERN, listed_tags
from service.http.json_body import json_body
from service.http.problems import (
    BODY_FAILURES,
    COMMON_FAILURES,
    DONE,
    Responses,
    documented_header,
    documented_problems,
)
from service.http.responses import KnownETags, json_response, tagged_json_response
from service.http.strict_model import QueryModel
from service.idempotency.once import REPLAYED_HEADER, BeforeCommit, OnceDependency
from service.models import operations
from service.models.grants import build_grants, replace_grants
from service.models.history.version_ids import with_version_ids
from service.models.item import as_stored
from service.models.patch import PatchBody, patched_content
from service.models.schemas import CreateModel, Model, ModelId, PatchModel, UpdateAccess, UpdateModel

_VERSION = re.compile('"([1-9][0-9]{0,18})"', re.ASCII)
_WITHOUT_QUOTES = re.compile("[1-9][0-9]{0,18}", re.ASCII)


class ModelParams(QueryModel):
    """The parameters of a request for one model."""

    id: Identifier = Field(description="The model's id; it may contain `/` and `:`.", examples=["sql-tuning"])


# A version without quotes is accepted too.
_IF_MATCH = rf"^(\*|{TAG_PATTERN}([ \t]*,[ \t]*{TAG_PATTERN})*|[1-9][0-9]{{0,18}})$"


async def expected_versions(
    if_match: Annotated[
        list[str] | None,
        Header(
            alias="If-Match",
            description="The `ETag`s of which one must be current: versions, in quotes. `*` matches any version.",
        ),
        WithJsonSchema({"type": "string", "pattern": _IF_MATCH, "examples": ['"3"']}),
    ] = None,
) -> Sequence[int] | None:
    """Return the versions of which `If-Match` requires one, or None for any.

    `W/"3"` is the version 3 too. The strong comparison that RFC 9110 prescribes would refuse it; but proxies weaken
    tags, and so does this service when it compresses an answer, while the version says all about the model's state.
    """
    if if_match is None:
        return None
    if len(if_match) == 1 and _WITHOUT_QUOTES.fullmatch(if_match[0]):
        return [int(if_match[0])]
    listed = listed_tags(if_match)
    if listed is None:
        msg = "must list ETags of the model, its version in quotes, or be *"
        raise InvalidInputError([{"loc": ["header", "If-Match"], "msg": msg}])
    if ANY in listed:
        return None
    # A tag of another form is not a version of anything, so it never matches.
    return [int(version[1]) for tag in listed if (version := _VERSION.fullmatch(tag))]


VersionDependency = Annotated[Sequence[int] | None, Depends(expected_versions)]

_ETAG = documented_header("ETag", "The version, in quotes; `W/` is before it when the answer is compressed.", '"3"')
_ANSWER: Responses = {200: {"model": Model, "headers": _ETAG}}
_READ = {**_ANSWER, **documented_problems(HTTPStatus.NOT_FOUND, *COMMON_FAILURES)}
_REFUSED = documented_problems(*BODY_FAILURES)
_CREATED: Responses = {200: {"model": Model, "headers": {**_ETAG, **REPLAYED_HEADER}}, **_REFUSED}
# The responses of a route that changes a model.
CHANGED = {**_READ, **_REFUSED, **documented_problems(HTTPStatus.PRECONDITION_FAILED)}


async def answer_with_model(
    context: Context, caller: Caller, model_id: str, known: Sequence[str] | None = None, *, version_id: bool = False
) -> Response:
    """Return a response with one model as `caller` sees it; raise NotFoundError when it is absent or hidden.

    A client to which the current version is `known` gets 304. With `version_id`, the model has that too.
    """
    readers_see_params = context.settings.readers_see_params
    item = await operations.read(context.database, caller, model_id, readers_see_params=readers_see_params)
    if version_id:
        [item] = await with_version_ids(context.database, [item])
    # A record that was written past the service can have a version of any type.
    if not isinstance(item["version"], int):
        return json_response(item)
    return tagged_json_response(json_bytes(item), known, f'"{item["version"]}"')


class Answer(Protocol):
    """Answers a request of a caller with one model, as `answer_with_model` does."""

    async def __call__(self, model_id: str, known: Sequence[str] | None = None) -> Response:
        """Return the response."""


async def get_answer(request: Request) -> Answer:
    """Return what answers a request with one model, which has a `version_id` only in the compatibility API."""
    caller = await get_caller(request)
    return partial(answer_with_model, context_of(request), caller, version_id=is_compatible(request))


AnswerDependency = Annotated[Answer, Depends(get_answer)]

router = APIRouter(prefix="/models", tags=["models"], route_class=DirectRoute)


@router.get("/model", responses={**_READ, 304: {"description": "The client has this version.", "headers": _ETAG}})
async def get_model(
    answer: AnswerDependency, params: Annotated[ModelParams, Query()], known: KnownETags = None
) -> Response:
    """Return one model. 404 for a model that does not exist or is hidden from the caller.

    The version counts changes of the model. It does not change when its owner is renamed, or when the caller gets other
    rights by a group.
    """
    return await answer(params.id, known)


@router.post("/create", responses=_CREATED)
async def create_model(
    caller: WriterDependency,
    once: OnceDependency,
    body: Annotated[CreateModel, json_body(CreateModel)],
    context: ContextDependency,
    answer: AnswerDependency,
) -> Response:
    """Create a model that the caller owns.

    409 for an id that is taken, also by a model that is hidden from the caller or by a deleted model of another owner.
    """
    grants = build_grants(body.id, body.access_grants)
    content = {**body.model_dump(exclude={"id", "access_grants"}), "access_grants": grants}

    async def create(before_commit: BeforeCommit[None]) -> None:
        await operations.create(context.database, caller, body.id, content, partial(before_commit, None))

    return await once.answered(create, lambda _: answer(body.id), lambda shown: [shown["id"]])


@router.post("/model/update", responses=CHANGED)
async def update_model(
    caller: WriterDependency,
    versions: VersionDependency,
    body: Annotated[UpdateModel, json_body(UpdateModel)],
    context: ContextDependency,
    answer: AnswerDependency,
) -> Response:
    """Replace the given fields of a model; the others stay. For the owner, write grantees and admins.

    `params` and `meta` are each replaced as a whole. `PATCH /models/model` changes single members of them.
    """
    request = operations.ChangeRequest(caller, body.id, ChangeKind.UPDATE, versions)
    await operations.change(context.database, request, lambda record: as_stored(body.content, record))
    return await answer(body.id)


@router.patch("/model", responses=CHANGED)
async def patch_model(
    caller: WriterDependency,
    versions: VersionDependency,
    params: Annotated[ModelParams, Query()],
    body: Annotated[PatchModel, Depends(PatchBody())],
    context: ContextDependency,
    *,
    answer: AnswerDependency,
) -> Response:
    """Merge a patch (RFC 7396) into a model as it is at that moment. For the owner, write grantees and admins.

    Within `params` and `meta`, what the patch does not name stays, and null removes a member. Owner and grants have
    routes of their own. A patch that changes nothing makes no version.
    """
    request = operations.ChangeRequest(caller, params.id, ChangeKind.UPDATE, versions)
    await operations.change(context.database, request, lambda record: patched_content(body, record))
    return await answer(params.id)


@router.post("/model/toggle", responses=CHANGED)
async def toggle_model(
    caller: WriterDependency,
    versions: VersionDependency,
    params: Annotated[ModelParams, Query()],
    context: ContextDependency,
    answer: AnswerDependency,
) -> Response:
    """Make an active model inactive, and the other way round. For the owner, write grantees and admins."""
    request = operations.ChangeRequest(caller, params.id, ChangeKind.TOGGLE, versions)
    await operations.change(context.database, request, lambda record: {"is_active": not record["is_active"]})
    return await answer(params.id)


@router.post("/model/access/update", responses=CHANGED)
async def update_access(
    caller: WriterDependency,
    versions: VersionDependency,
    body: Annotated[UpdateAccess, json_body(UpdateAccess)],
    context: ContextDependency,
    answer: AnswerDependency,
) -> Response:
    """Replace all grants of a model. For the owner and admins."""
    await share(context, caller, body, versions)
    return await answer(body.id)


async def share(context: Context, caller: Caller, body: UpdateAccess, versions: Sequence[int] | None) -> None:
    """Replace all grants of a model; raises as a change does."""
    grants = build_grants(body.id, body.access_grants)
    request = operations.ChangeRequest(caller, body.id, ChangeKind.ACCESS, versions, manages=True)
    await operations.change(context.database, request, lambda record: {"access_grants": replace_grants(grants, record)})


@router.post("/model/delete", responses={**CHANGED, **DONE})
async def delete_model(
    caller: WriterDependency,
    versions: VersionDependency,
    body: Annotated[ModelId, json_body(ModelId)],
    context: ContextDependency,
) -> Response:
    """Delete a model; its history stays. For the owner, write grantees and admins.

    Only the owner and admins can use the id again.
    """
    await operations.delete(context.database, operations.ChangeRequest(caller, body.id, ChangeKind.DELETE, versions))
    return json_response(content=True)
