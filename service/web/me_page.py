"""One's own page: keys and groups."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from pydantic import ValidationError

from documents import Group
from service.clock import epoch_seconds, now
from service.errors import ConflictError, InvalidInputError, invalid_input
from service.http.dependencies import Context, ContextDependency
from service.models.principals import names_of
from service.people import api_keys, users
from service.people.schemas import CreateApiKey
from service.web.dependencies import FormDependency, PageWriterDependency, SignedInDependency
from service.web.forms import Form
from service.web.redirects import see
from service.web.rendering import html, link
from service.web.sessions import SignedIn

router = APIRouter(include_in_schema=False)

LIFETIMES = {"30": "30 days", "90": "90 days", "365": "a year", "": "no end"}


@router.get("/me")
async def show_me(signed_in: SignedInDependency, context: ContextDependency, done: str | None = None) -> Response:
    """Return the caller's keys and groups."""
    return await _me(context, signed_in, done=done)


async def _me(
    context: Context,
    signed_in: SignedIn,
    *,
    status: int = HTTPStatus.OK,
    new: dict[str, Any] | None = None,
    done: str | None = None,
    problem: str | None = None,
    name: str = "",
) -> Response:
    caller = signed_in.caller
    person = await users.describe_caller(context.database, caller)
    direct = (await users.one_user(context.database, caller.user_id))["group_ids"]
    groups = await names_of(context.database, Group, person["group_ids"])
    return html(
        "me.html",
        status=status,
        signed_in=signed_in,
        active="me",
        person=person,
        keys=await api_keys.api_keys_of(context.database, caller.user_id),
        current=caller.api_key_id,
        latest=epoch_seconds(caller.api_key_expires_at) if caller.api_key_expires_at else None,
        groups=[{"id": one, "name": groups.get(one, one), "direct": one in direct} for one in person["group_ids"]],
        lifetimes=LIFETIMES,
        new=new,
        done=done,
        problem=problem,
        name=name,
        today=epoch_seconds(now()),
    )


@router.post("/me/keys/create")
async def create_key(
    signed_in: SignedInDependency, form: FormDependency, caller: PageWriterDependency, context: ContextDependency
) -> Response:
    """Create a key, and show it this once."""
    try:
        new = await api_keys.create_api_key_for(context.database, caller, caller.user_id, _wanted(form, signed_in))
    except (InvalidInputError, ConflictError) as error:
        detail = error.errors[0]["msg"] if isinstance(error, InvalidInputError) else error.detail
        return await _me(context, signed_in, status=error.status, problem=detail, name=form.line("name"))
    return await _me(context, signed_in, new=new)


def _wanted(form: Form, signed_in: SignedIn) -> CreateApiKey:
    lifetime, latest = form.line("lifetime"), signed_in.caller.api_key_expires_at
    ends = now() + timedelta(days=int(lifetime)) if lifetime in LIFETIMES and lifetime else None
    if latest is not None and (ends is None or ends > latest):
        # A key may not outlive the one that was used to sign in.
        ends = latest
    values = {
        "name": form.line("name"),
        "scope": form.line("scope"),
        "expires_at": epoch_seconds(ends) if ends else None,
    }
    try:
        return CreateApiKey.model_validate(values)
    except ValidationError as error:
        raise invalid_input(error) from None


@router.post("/me/keys/revoke")
async def revoke_key(form: FormDependency, caller: PageWriterDependency, context: ContextDependency) -> Response:
    """Revoke a key. With that of this session, the session ends."""
    await api_keys.revoke_api_key(context.database, caller.user_id, form.line("id"))
    return see(link("/me", done="revoked"))
