"""Sharing a model with people and groups, one at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import ValidationError

from documents.grant import EVERYONE, Permission
from documents.revision import ChangeKind
from documents.text import Identifier
from service.errors import InvalidInputError, StaleVersionError, invalid_input
from service.http.dependencies import Context, ContextDependency
from service.http.pagination import PageParams
from service.http.responses import JSON
from service.models.access.explanation import explain_all
from service.models.grants import GrantChanges
from service.models.operations import ChangeRequest, change, require_changeable
from service.models.schemas import GrantInput
from service.people.suggestions import MOST, Suggestion, meant, suggest
from service.web.dependencies import FormDependency, PageCallerDependency, PageWriterDependency, SignedInDependency
from service.web.forms import Form
from service.web.history_page import who_changed
from service.web.model_page import read_item
from service.web.redirects import see
from service.web.rendering import html, link
from service.web.sessions import SignedIn
from service.web.sharing_words import Names, grants_of
from service.web.words import isolated

router = APIRouter(include_in_schema=False)

NONE = "none"
_MAY = {Permission.READ.value: "may read it", Permission.WRITE.value: "may change it"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody tried that needs another look: what they had typed, what is wrong, and whom they may mean."""

    text: str = ""
    permission: str = Permission.READ.value
    problem: str | None = None
    choices: Sequence[Suggestion] = ()


@router.get("/model/sharing")
async def show_sharing(
    signed_in: SignedInDependency,
    context: ContextDependency,
    id: Identifier,  # noqa: A002
    done: Annotated[str | None, Query(max_length=20)] = None,
    whom: Identifier | None = None,
) -> Response:
    """Return with whom a model is shared, and the form to change that; raises as a change does."""
    return await _sharing(context, signed_in, id, done=(done, whom))


async def _sharing(
    context: Context,
    signed_in: SignedIn,
    model_id: str,
    attempt: Attempt | None = None,
    *,
    status: int = HTTPStatus.OK,
    done: tuple[str | None, str | None] = (None, None),
) -> Response:
    caller = signed_in.caller
    request = ChangeRequest(caller, model_id, ChangeKind.ACCESS, manages=True)
    await require_changeable(context.database, request, emptied=True)
    item = await read_item(context, caller, model_id)
    names = await Names.in_grants(context.database, caller, [item])
    grants = [{**grant, "name": names.of(grant)} for grant in grants_of(item)]
    return html(
        "sharing.html",
        status=status,
        signed_in=signed_in,
        active="models",
        item=item,
        grants=grants,
        attempt=attempt or Attempt(),
        done=_said(grants, *done),
        everyone=EVERYONE,
    )


def _said(grants: Sequence[Mapping[str, Any]], done: str | None, whom: str | None) -> str | None:
    """Return what was done; an address, which anybody can write, chooses only among sentences that are true."""
    if done == NONE and all(grant["principal_id"] != whom for grant in grants):
        return "The grant is gone."
    now = next((one for one in grants if (one["principal_id"], one["permission"]) == (whom, done)), None)
    if now is None:
        return None
    return f"{'Everyone' if whom == EVERYONE else isolated(now['name'])} {_MAY[now['permission']]} now."


@router.post("/model/sharing/add")
async def add(
    signed_in: SignedInDependency, form: FormDependency, _: PageWriterDependency, context: ContextDependency
) -> Response:
    """Share a model with a user or a group that is named by id or whole name; who is not clear is asked for."""
    model_id, text, permission = form.line("id"), form.line("principal"), form.line("permission")
    found = await meant(context.database, signed_in.caller, text)
    # A part of a name would share it with somebody who was not meant, or with everyone.
    if len(found) == 1 and found[0].is_called(text):
        return await _set(context, signed_in, form, found[0].kind, found[0].id)
    problem = (
        "Whom do you mean?"
        if found
        else f"Nobody whom you may find is called “{isolated(text)}”."
        if text
        else "Type a name."
    )
    attempt = Attempt(text, permission, problem, found)
    return await _sharing(context, signed_in, model_id, attempt, status=HTTPStatus.UNPROCESSABLE_ENTITY)


@router.post("/model/sharing/set")
async def set_grant(
    signed_in: SignedInDependency, form: FormDependency, _: PageWriterDependency, context: ContextDependency
) -> Response:
    """Give a user or a group another permission, or none."""
    return await _set(context, signed_in, form, form.line("kind"), form.line("principal_id"))


async def _set(context: Context, signed_in: SignedIn, form: Form, kind: str, principal_id: str) -> Response:
    model_id, permission = form.line("id"), form.line("permission")
    principal = {"principal_type": kind, "principal_id": principal_id}
    try:
        added = [] if permission == NONE else [GrantInput.model_validate({**principal, "permission": permission})]
    except ValidationError as error:
        raise invalid_input(error, "form") from None
    changes = GrantChanges([{**principal, "permission": None}], added)
    request = ChangeRequest(signed_in.caller, model_id, ChangeKind.ACCESS, [form.version()], manages=True)
    attempt = Attempt(form.line("principal") or principal_id, permission)
    try:
        await change(context.database, request, lambda record: {"access_grants": changes.apply(record)})
    except StaleVersionError:
        who = await who_changed(context, signed_in.caller, model_id)
        problem = f"{who} has changed this model meanwhile, so nothing was done. It is now as you see here."
        again = Attempt(attempt.text, attempt.permission, problem)
        return await _sharing(context, signed_in, model_id, again, status=HTTPStatus.PRECONDITION_FAILED)
    except InvalidInputError as error:
        wrong = Attempt(attempt.text, attempt.permission, error.errors[0]["msg"])
        return await _sharing(context, signed_in, model_id, wrong, status=error.status)
    return see(link("/model/sharing", id=model_id, done=permission, whom=principal_id))


@router.get("/suggestions")
async def suggestions(
    caller: PageCallerDependency,
    context: ContextDependency,
    text: Annotated[str, Query(max_length=256)] = "",
    reads: Identifier | None = None,
) -> Response:
    """Return people and groups as one types their name; with `reads`, only those who may read that model."""
    found: list[dict[str, Any]]
    if reads is not None:
        readers = await explain_all(context.database, caller, reads, PageParams(page_size=MOST), named=text.strip())
        found = [{"value": one["user"]["name"], "label": one["user"]["id"]} for one in readers["items"]]
    else:
        found = [{"value": one.name, "label": one.detail} for one in await suggest(context.database, caller, text)]
    return Response(orjson.dumps(found), media_type=JSON)
