"""Dependencies of the page's routes: who has signed in, and what they have sent.

These take the place of `service/http/dependencies.py` there: the page knows people by their cookie alone, and the API
by the header `Authorization` alone.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request

from service.auth.authentication import Caller
from service.errors import ForbiddenError, UnauthorizedError
from service.http.dependencies import Context, ContextDependency, get_writer
from service.web.forms import Form, read_form, require_own_origin, require_token
from service.web.sessions import SignedIn, may_be_prolonged, prolong, resolve_session

COOKIE = "modeldeck_session"


async def get_signed_in(request: Request, context: ContextDependency) -> SignedIn:
    """Return who has sent a request: the only place where a route of the page authenticates.

    Raises UnauthorizedError, or TooManyLoginFailuresError after too many of those.
    """
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise UnauthorizedError

    async def resolve(_: str | None = None) -> SignedIn:
        return await resolve_session(context.database, context.authenticator, secret)

    async def authenticate() -> Caller:
        return (await resolve()).caller

    address = request.client.host if request.client else None
    signed_in = await context.login_throttle.resolve(f"Session {secret}", address, resolve)
    request.state.caller = signed_in.caller
    request.state.authenticate = authenticate
    _note_use(context, signed_in)
    return signed_in


def _note_use(context: Context, signed_in: SignedIn) -> None:
    if context.authenticator.last_use_is_old(signed_in.caller):
        context.background.start(context.authenticator.record_use(signed_in.caller))
    if may_be_prolonged(signed_in):
        context.background.start(prolong(context.database, signed_in))


SignedInDependency = Annotated[SignedIn, Depends(get_signed_in)]


async def get_page_caller(signed_in: SignedInDependency) -> Caller:
    """Return the caller of a request to the page."""
    return signed_in.caller


PageCallerDependency = Annotated[Caller, Depends(get_page_caller)]


async def get_page_admin(caller: PageCallerDependency) -> Caller:
    """Return the caller, who is an admin; raise ForbiddenError for others."""
    if not caller.is_admin:
        raise ForbiddenError("Only admins may see this.")
    return caller


PageAdminDependency = Annotated[Caller, Depends(get_page_admin)]


async def get_form(request: Request, signed_in: SignedInDependency) -> Form:
    """Return the form in a request, which a page of this session has sent; raise ForbiddenError for any other."""
    require_own_origin(request)
    form = await read_form(request)
    require_token(form, signed_in.form_token)
    return form


FormDependency = Annotated[Form, Depends(get_form)]


async def get_page_writer(request: Request, _: FormDependency) -> AsyncIterator[Caller]:
    """Yield the caller of a request that changes something; raises as `get_writer` does."""
    # It takes the caller whom the form has brought along, and looks for no header.
    async with asynccontextmanager(get_writer)(request) as writer:
        yield writer


PageWriterDependency = Annotated[Caller, Depends(get_page_writer)]
