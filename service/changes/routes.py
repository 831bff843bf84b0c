"""`GET /models/changes`: the changes of models as they happen."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field, WithJsonSchema

from service.changes.following import FollowingDependency, changes_of
from service.changes.messages import EVENT_STREAM, HEADERS, item_or_id, messages
from service.changes.tokens import MAX_LENGTH
from service.http.dependencies import CallerDependency
from service.http.problems import COMMON_FAILURES, Responses, documented_problems
from service.http.responses import streamed_response
from service.http.strict_model import QueryModel

router = APIRouter(prefix="/models", tags=["models"])

_AN_ID = "Yw1rLcJ4pEoHdXa6iGfN9tKvMbCzSyRlUjPhOeWgAnDkFq2T0uVxZ3"
_EXAMPLE = (
    "retry: 2381\n:\nid: q2T0uVxZ3m7nB5kQ\n\n"
    'event: updated\nid: Yw1rLcJ4pEoHdXa6\ndata: {"id":"sql-tuning","name":"SQL Tuning","version":3}\n\n'
    'event: removed\nid: iGfN9tKvMbCzSyRl\ndata: {"id":"summaries"}\n\n'
)
_CHANGES: Responses = {
    200: {
        "description": "Server-sent events, as long as the client reads them.",
        "content": {EVENT_STREAM: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    },
    **documented_problems(HTTPStatus.GONE, *COMMON_FAILURES),
}


class FollowParams(QueryModel):
    """The parameters of `GET /api/models/changes`."""

    since: Annotated[str, Field(max_length=MAX_LENGTH)] | None = Field(
        None,
        description="The last `id` that the client got: go on after it. `Last-Event-ID` counts more.",
        examples=[_AN_ID],
    )
    follow: bool = Field(
        True, description="False: only what was missed since then; the answer ends after it.", examples=[False]
    )


LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        max_length=MAX_LENGTH,
        description="The last `id` that the client got: go on after it. Browsers send it by themselves.",
    ),
    WithJsonSchema({"type": "string", "examples": [_AN_ID]}),
]


@router.get("/changes", responses=_CHANGES, response_class=Response)
async def follow_changes(
    caller: CallerDependency,
    params: Annotated[FollowParams, Query()],
    last_event_id: LastEventId = None,
    *,
    request: Request,
    following: FollowingDependency,
) -> Response:
    """Follow the changes of the models that the caller may read, as they happen, as server-sent events.

    `created`, `updated` and `added` have the model after the change as the list shows it, `deleted` and `removed` only
    its id: `added` and `removed` when a change lets the caller read it, or hides it from them. After `resync` the
    caller has, or may have had, other rights: get the models anew. Each `id` is a token to go on from, once all before
    it was shown; every 15 seconds there is one without an event. The answer ends when the credential is not valid any
    more, the client reads too slowly, or the process ends.
    """
    tokens = changes_of(request).tokens
    since = None
    if last_event_id:
        since = tokens.position(last_event_id, caller.user_id, ("header", "Last-Event-ID"))
    elif params.since is not None:
        since = tokens.position(params.since, caller.user_id, ("query", "since"))
    shown = await following.begun(since, endless=params.follow)
    parts = messages(shown, lambda position: tokens.token(position, caller.user_id), item_or_id)
    return await streamed_response(parts, EVENT_STREAM, HEADERS)
