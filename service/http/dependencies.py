"""What a route can ask for: the running parts, and who is calling."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from documents.api_key import Scope
from service.auth.authentication import Authenticator, Caller
from service.auth.login_throttle import LoginThrottle
from service.background import BackgroundTasks
from service.database.client import Database
from service.database.work_context import BULK_TIMEOUT_FACTOR
from service.errors import ConflictError, ForbiddenError, InvalidInputError, TooManyLongRequestsError
from service.settings import Settings

# Of the requests that are let in at a time, one in so many may take long: the others are for everybody else.
LONG_SHARE = 8

T = TypeVar("T")


@dataclass
class Context:
    """What the routes of one service process share, made by the composition root."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    login_throttle: LoginThrottle
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    # How many long requests of each user are in flight.
    long_requests: Counter[str] = field(default_factory=Counter)


async def get_context(request: Request) -> Context:
    """Return the running parts of the service that answers `request`."""
    context: Context = request.app.state.context
    return context


ContextDependency = Annotated[Context, Depends(get_context)]


# Only describes the credential; `Identity` reads it.
_bearer = HTTPBearer(auto_error=False, description="An API key, or a JWT where the service is configured for it.")


async def resolved(request: Request, context: Context, resolve: Callable[[str | None], Awaitable[T]]) -> T:
    """Return what `resolve` takes the credential of `request` for, unless its client has guessed too often."""
    # Of several, whatever stands before the service may have looked at another one than the service would.
    sent = request.headers.getlist("Authorization")
    address = request.client.host if request.client else None
    return await context.login_throttle.resolve(sent[0] if len(sent) == 1 else None, address, resolve)


async def get_caller(request: Request, context: ContextDependency, _: Annotated[Any, Depends(_bearer)]) -> Caller:
    """Return who sends `request`: the one credential path of every route.

    Raises UnauthorizedError, or TooManyLoginFailuresError after too many of those; and InvalidInputError for a bad
    query string, which is explained to known callers only.
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
    """Give a request that concerns many records more time than others; raise CrowdedError when too many have it.

    For callers who are known, nobody else shall keep them from it; and of two, one can't keep the other from it.
    """
    most = max(1, context.settings.max_in_flight // LONG_SHARE)
    if context.long_requests.total() >= most or context.long_requests[caller.user_id] >= max(1, most // 2):
        raise TooManyLongRequestsError
    context.long_requests[caller.user_id] += 1
    try:
        request.state.deadline.allow(context.settings.request_timeout * BULK_TIMEOUT_FACTOR)
        yield
    finally:
        context.long_requests[caller.user_id] -= 1
        # Who has none is not remembered.
        context.long_requests += Counter()


MORE_TIME = Depends(get_more_time)


async def get_list_time(request: Request, context: ContextDependency) -> None:
    """Give a request for a page of the list the time that it has."""
    request.state.deadline.allow(context.settings.list_timeout)


LIST_TIME = Depends(get_list_time)


async def require_still_entitled(request: Request) -> None:
    """Look again at who sends a request that took its time; raise when they may not do what they might then.

    Raises UnauthorizedError for a credential that does not count any more, ConflictError for other rights.
    """
    known: Caller = request.state.caller
    context = await get_context(request)
    caller = await resolved(request, context, context.authenticator.resolve)
    if caller.rights != known.rights:
        raise ConflictError("Your rights have changed while the request was being sent; send it again.")


async def get_writer(caller: CallerDependency) -> Caller:
    """Return who sends a request that changes something; raise ForbiddenError for a key that may only read."""
    if caller.scope is not Scope.WRITE:
        raise ForbiddenError("This key is for reading only.")
    return caller


WriterDependency = Annotated[Caller, Depends(get_writer)]


async def get_admin(caller: CallerDependency) -> Caller:
    """Return the admin who sends a request; raise ForbiddenError for anybody else."""
    if not caller.is_admin:
        raise ForbiddenError("Only admins may do this.")
    return caller


AdminDependency = Annotated[Caller, Depends(get_admin)]


async def get_admin_writer(admin: AdminDependency) -> Caller:
    """Return the admin who sends a request that changes something; raise ForbiddenError as both of these do."""
    return await get_writer(admin)


AdminWriterDependency = Annotated[Caller, Depends(get_admin_writer)]
