"""The history of a model: every version, what differs between any two of them, and going back to one."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from documents import User
from documents.revision import ChangeKind
from documents.text import Identifier
from service.auth.authentication import Caller
from service.errors import NotFoundError, StaleVersionError
from service.http.dependencies import Context, ContextDependency
from service.models.history import revisions
from service.models.history.schemas import DifferenceParams
from service.models.operations import ChangeRequest
from service.models.principals import names_of
from service.web.dependencies import FormDependency, PageWriterDependency, SignedInDependency
from service.web.history_words import rendered
from service.web.model_page import read_item, recent_changes
from service.web.redirects import to_model
from service.web.rendering import html
from service.web.sessions import SignedIn
from service.web.words import isolated

router = APIRouter(include_in_schema=False)

VERSIONS = 20
Version = Annotated[int | None, Query(ge=1, lt=2**63 - 1)]


@router.get("/model/history")
async def show_history(
    signed_in: SignedInDependency,
    *,
    context: ContextDependency,
    id: Identifier,  # noqa: A002
    earlier: Version = None,
    later: Version = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Return a page of the history of a model and, of two versions, what differs."""
    chosen = (earlier, later) if earlier is not None and later is not None else None
    return await _history(context, signed_in, id, chosen=chosen, page=page)


async def _history(
    context: Context,
    signed_in: SignedIn,
    model_id: str,
    *,
    chosen: tuple[int, int] | None = None,
    page: int = 1,
    problem: str | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    caller = signed_in.caller
    item = await read_item(context, caller, model_id)
    return html(
        "history.html",
        status=status,
        signed_in=signed_in,
        active="models",
        item=item,
        changes=await recent_changes(context, caller, model_id, page, VERSIONS),
        compared=await _compared(context, caller, model_id, *sorted(chosen)) if chosen else None,
        problem=problem,
    )


async def _compared(context: Context, caller: Caller, model_id: str, earlier: int, later: int) -> dict[str, Any]:
    params = DifferenceParams(id=model_id, earlier=earlier, later=later)
    both = {"earlier": earlier, "later": later}
    try:
        found = await revisions.compare(context.database, caller, params.id, params.earlier, params.later)
    except NotFoundError as error:
        return {**both, "problem": error.detail, "differences": []}
    # In a thread, because comparing long texts would keep other requests waiting.
    return {**both, "problem": None, "differences": await asyncio.to_thread(rendered, found)}


@router.post("/model/restore")
async def restore(
    signed_in: SignedInDependency, form: FormDependency, _: PageWriterDependency, context: ContextDependency
) -> Response:
    """Bring an older version back, as a new one; somebody who was slower is shown the new history."""
    model_id, version = form.line("id"), form.version()
    request = ChangeRequest(signed_in.caller, model_id, ChangeKind.RESTORE, [version])
    try:
        await revisions.restore(context.database, request, form.line("revision"))
    except StaleVersionError:
        problem = "This model was changed meanwhile, so nothing was restored. The newest version is at the top."
        return await _history(context, signed_in, model_id, problem=problem, status=HTTPStatus.PRECONDITION_FAILED)
    return to_model(model_id, "restored")


async def who_changed(context: Context, caller: Caller, model_id: str) -> str:
    """Return the name of who made the last change of a model."""
    found = await recent_changes(context, caller, model_id, size=1)
    by = next((one["by"] for one in found["items"]), None)
    return isolated((await names_of(context.database, User, [by])).get(by, by)) if by else "Somebody"
