"""Tells the page of a model, while it is open, that the model has changed meanwhile."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from documents import User
from documents.text import Identifier
from service.auth.authentication import Caller
from service.changes.entries import of_session
from service.changes.following import Following, following
from service.changes.happenings import Happening, Shown
from service.changes.messages import EVENT_STREAM, HEADERS
from service.database.change_streams import ClusterTime
from service.errors import NotFoundError
from service.http.dependencies import Context, ContextDependency
from service.http.responses import streamed_response
from service.models.principals import names_of
from service.web.dependencies import SignedInDependency
from service.web.model_page import read_item, recent_changes
from service.web.sessions import SignedIn, resolve_session, session_hash
from service.web.words import isolated

router = APIRouter(include_in_schema=False)

_TOLD = {
    Happening.DELETED: "Deleted",
    Happening.REMOVED: "Hidden from you",
    Happening.RESYNC: "Your groups or your role have changed",
}


async def get_model_following(
    request: Request,
    signed_in: SignedInDependency,
    context: ContextDependency,
    id: Identifier,  # noqa: A002
) -> AsyncIterator[Following]:
    """Yield what follows the changes of one model for somebody who has signed in; 404 as its page has it."""
    await read_item(context, signed_in.caller, id)

    async def rights() -> tuple[Caller, ClusterTime]:
        current = await resolve_session(context.database, context.authenticator, signed_in.secret)
        return await context.authenticator.rights_of(current.caller)

    session = frozenset({of_session(session_hash(signed_in.secret))})
    async with following(request, rights=rights, model_id=id, also=session) as begun:
        yield begun


@router.get("/model/changes")
async def tell_changes(
    signed_in: SignedInDependency,
    *,
    begun: Annotated[Following, Depends(get_model_following)],
    context: ContextDependency,
    id: Identifier,  # noqa: A002
    version: Annotated[int, Query(ge=0)],
    follow: bool = True,
) -> Response:
    """Tell each change of a model after the version that the page shows, as a sentence without its time."""
    shown = await begun.begun(None, endless=follow)
    missed = await _missed(context, signed_in, id, version)
    return await streamed_response(_sentences(context, signed_in, begun, shown, missed), EVENT_STREAM, HEADERS)


async def _missed(context: Context, signed_in: SignedIn, model_id: str, version: int) -> str | None:
    """Return what to tell of changes between the page and the beginning."""
    try:
        item = await read_item(context, signed_in.caller, model_id)
        if item["version"] == version:
            return None
        if not item["write_access"]:
            return "Changed"
        newest = await recent_changes(context, signed_in.caller, model_id, size=1)
    except NotFoundError:
        return "Changed"
    by = newest["items"][0]["by"] if newest["items"] else None
    return await _changed_by(context, signed_in, by)


async def _sentences(
    context: Context, signed_in: SignedIn, begun: Following, shown: AsyncIterator[Shown], missed: str | None
) -> AsyncIterator[bytes]:
    if missed is not None:
        yield _message(missed)
    async for one in shown:
        if one.happening is None:
            yield b":\n\n"
        elif one.happening in _TOLD:
            yield _message(_TOLD[one.happening])
        else:
            by = one.change.by if one.change is not None else None
            yield _message(await _changed_by(context, signed_in, by) if begun.writes(one) else "Changed")


def _message(sentence: str) -> bytes:
    # A name can hold line breaks, each of which would begin another field.
    return f"data: {' '.join(sentence.split())}\n\n".encode()


async def _changed_by(context: Context, signed_in: SignedIn, by: str | None) -> str:
    """Return who has changed a model, for those who may change it too: these see it in its history."""
    if by is None:
        return "Changed by the command line"
    if by == signed_in.caller.user_id:
        return "Changed by you, elsewhere"
    names = await names_of(context.database, User, [by])
    return f"Changed by {isolated(names.get(by, by))}"
