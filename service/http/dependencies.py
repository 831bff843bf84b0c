"""Dependencies of the routes: the running parts of the service, the caller, and the time for a request."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from documents.api_key import Scope
from service.auth.authentication import Authenticator, Caller
from service.auth.login_throttle import LoginThrottle
from service.auth.write_quota import WriteQuota
from service.background import BackgroundTasks
from service.database.client import Database
from service.database.work_context import BULK_TIMEOUT_FACTOR
from service.errors import ConflictError, ForbiddenError, InvalidInputError, UnavailableError
from service.settings import Settings

# One in this many of the concurrent requests may be a long one; the rest are kept for other requests.
LONG_SHARE = 8
TOO_MANY_LONG_REQUESTS = "Too many requests about many records are being answered; nothing was done, try again later."

T = TypeVar("T")


@dataclass
class Context:
    """What the routes of one service process share; made in `service/app.py`."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    login_throttle: LoginThrottle
    write_quota: WriteQuota
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    # The number of long requests in progress, by user.
    long_requests: Counter[str] = field(default_factory=Counter)


async def get_context(request: Request) -> Context:
    """Return the running parts of the service that answers `request`."""
    context: Context = request.app.state.context
    return context


ContextDependency = Annotated[Context, Depends(get_context)]


# Only describes the credential in the OpenAPI document; `Authenticator` reads it.
_bearer = HTTPBearer(auto_error=False, description="An API key, or a JWT where the service is configured for it.")


async def resolved(request: Request, context: Context, resolve: Callable[[str | None], Awaitable[T]]) -> T:
    """Return what `resolve` returns for the credential of `request`, unless its address has too many login failures."""
    # Several headers are refused: a proxy might have checked another one than the service would.
    sent = request.headers.getlist("Authorization")
    address = request.client.host if request.client else None
    return await context.login_throttle.resolve(sent[0] if len(sent) == 1 else None, address, resolve)


async def get_caller(request: Request, context: ContextDependency, _: Annotated[Any, Depends(_bearer)]) -> Caller:
    """Return the caller of a request: the only place where a route authenticates.

    Raises UnauthorizedError, or TooManyLoginFailuresError after too many of those. Raises InvalidInputError for what
    `check_query` has found, because only known callers get an explanation of it.
    """
    caller = await resolved(request, context, context.authenticator.resolve)
    request.state.caller = caller
    query_error: InvalidInputError | None = getattr(request.state, "query_error", None)
    if query_error is not None:
        raise query_error
    if context.authenticator.last_use_is_old(caller):
        context.background.start(context.authenticator.record_use(caller))
    return caller


CallerDependency = Annotated[Caller, Depends(get_caller)]


async def get_more_time(request: Request, context: ContextDependency, caller: CallerDependency) -> AsyncIterator[None]:
    """Give a request that concerns many records more time; raise UnavailableError when too many have it.

    It depends on the caller, so that requests without a valid credential can't use the places up. One user can use at
    most half of them.
    """
    most = max(1, context.settings.max_in_flight // LONG_SHARE)
    if context.long_requests.total() >= most or context.long_requests[caller.user_id] >= max(1, most // 2):
        raise UnavailableError(TOO_MANY_LONG_REQUESTS)
    context.long_requests[caller.user_id] += 1
    try:
        request.state.deadline.allow(context.settings.request_timeout * BULK_TIMEOUT_FACTOR)
        yield
    finally:
        context.long_requests[caller.user_id] -= 1
        # Drops the users who have no long request any more.
        context.long_requests += Counter()


MORE_TIME = Depends(get_more_time)


async def get_list_time(request: Request, context: ContextDependency) -> None:
    """Set the deadline of a request for a page of the list."""
    request.state.deadline.allow(context.settings.list_timeout)


LIST_TIME = Depends(get_list_time)


async def require_still_entitled(request: Request) -> None:
    """Authenticate a slow request again, because its caller may have lost their rights meanwhile.

    Raises UnauthorizedError when the credential is no longer valid, ConflictError when the caller has other rights.
    """
    known: Caller = request.state.caller
    context = await get_context(request)
    caller = await resolved(request, context, context.authenticator.resolve)
    if caller.rights != known.rights:
        raise ConflictError("Your rights have changed while the request was being sent; send it again.")


async def get_writer(caller: CallerDependency, context: ContextDependency) -> Caller:
    """Return the caller of a request that changes something, and count it.

    Raises ForbiddenError for a read-only API key, TooManyWritesError when the caller's write quota is used up.
    """
    if caller.scope is not Scope.WRITE:
        raise ForbiddenError("This key is for reading only.")
    context.write_quota.begin(caller.user_id)
    return caller


WriterDependency = Annotated[Caller, Depends(get_writer)]


async def get_admin(caller: CallerDependency) -> Caller:
    """Return the caller, who is an admin; raise ForbiddenError for others."""
    if not caller.is_admin:
        raise ForbiddenError("Only admins may do this.")
    return caller


AdminDependency = Annotated[Caller, Depends(get_admin)]


async def get_admin_writer(admin: AdminDependency, context: ContextDependency) -> Caller:
    """Return the caller, who is an admin and may write; raises ForbiddenError for others, and as `get_writer` does."""
    return await get_writer(admin, context)


AdminWriterDependency = Annotated[Caller, Depends(get_admin_writer)]
