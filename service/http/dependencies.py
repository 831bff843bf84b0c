"""Dependencies of the routes: the running parts of the service, the caller, and the time and place for a request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from documents.api_key import Scope
from service.auth.authentication import Authenticator, Caller, RightsCheck
from service.auth.login_throttle import LoginThrottle
from service.auth.write_quota import WriteQuota
from service.background import BackgroundTasks
from service.database.client import Database
from service.database.errors import DatabaseError
from service.database.work_context import BULK_TIMEOUT_FACTOR, write_tracker
from service.errors import ForbiddenError, InvalidInputError, ModeldeckError, RightsChangedError, UnauthorizedError
from service.http.places import LongRequest, Places, places
from service.settings import Settings

# How often the caller of a stream is authenticated again while their client does not read it.
RECHECK_SECONDS = 2.0

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
    places: Mapping[LongRequest, Places] = field(init=False)
    large_bodies: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        """Make the places for requests that take long."""
        self.places = places(self.settings.max_in_flight, self.settings.max_followers)


# What the dependencies need of each other, they call: FastAPI would take longer to find it than all of them together
# take to run.
def context_of(request: Request) -> Context:
    """Return the running parts of the service that answers `request`."""
    context: Context = request.app.state.context
    return context


async def get_context(request: Request) -> Context:
    """Return the running parts of the service that answers `request`."""
    return context_of(request)


ContextDependency = Annotated[Context, Depends(get_context)]


async def resolved(request: Request, context: Context, resolve: Callable[[str | None], Awaitable[T]]) -> T:
    """Return what `resolve` returns for the credential of `request`, unless its address has too many login failures."""
    return await context.login_throttle.resolve(credential_of(request), address_of(request), resolve)


def address_of(request: Request) -> str | None:
    """Return the address of the client, if it has one."""
    return request.client.host if request.client else None


def credential_of(request: Request) -> str | None:
    """Return the credential that a request carries, if it carries just one."""
    # Several headers are refused: a proxy might have checked another one than the service would.
    sent = request.headers.getlist("Authorization")
    return sent[0] if len(sent) == 1 else None


async def get_caller(request: Request) -> Caller:
    """Return the caller of a request, who is authenticated the first time: the only place where a route does so.

    Raises UnauthorizedError, or TooManyLoginFailuresError after too many of those. Raises InvalidInputError for what
    `check_query` has found, because only known callers get an explanation of it.
    """
    state = request.state
    known: Caller | None = getattr(state, "caller", None) or getattr(state, "expected_caller", None)
    caller = known if known is not None else await authenticated(request)
    if (query_error := _query_error(request)) is not None:
        raise query_error
    return caller


def _query_error(request: Request) -> InvalidInputError | None:
    return getattr(request.state, "query_error", None)


async def authenticated(request: Request) -> Caller:
    """Look up the caller of a request, who is then known, and return them; raises as `get_caller` does for a caller."""
    context = context_of(request)
    caller = await resolved(request, context, context.authenticator.resolve)
    return remember_caller(request, caller, partial(context.authenticator.resolve, credential_of(request)))


def remember_caller(request: Request, caller: Caller, authenticate: Callable[[], Awaitable[Caller]]) -> Caller:
    """Return the caller of a request, who was just authenticated, after noting who they are.

    `authenticate` does it again.
    """
    context = context_of(request)
    request.state.caller = caller
    request.state.authenticate = authenticate
    if _query_error(request) is None and context.authenticator.last_use_is_old(caller):
        context.background.start(context.authenticator.record_use(caller))
    return caller


CallerDependency = Annotated[Caller, Depends(get_caller)]


async def get_more_time(request: Request) -> None:
    """Give a request that concerns many records more time."""
    request.state.deadline.allow(context_of(request).settings.request_timeout * BULK_TIMEOUT_FACTOR)


MORE_TIME = Depends(get_more_time)


async def get_people_place(request: Request) -> AsyncIterator[None]:
    """Take a place for a change of users or groups; raise UnavailableError when there is none.

    A handler names it after its body: while a body arrives, no place is taken.
    """
    caller = await get_caller(request)
    with context_of(request).places[LongRequest.PEOPLE_CHANGE].taken_by(caller.user_id):
        yield


PeoplePlaceDependency = Annotated[None, Depends(get_people_place)]


@asynccontextmanager
async def _stream(request: Request, kind: LongRequest) -> AsyncIterator[None]:
    """Take a place for an answer that is sent in parts; raise UnavailableError when there is none.

    The answer is broken off when its caller loses rights, even while their client reads nothing.
    """
    context, caller = context_of(request), await get_caller(request)
    with context.places[kind].taken_by(caller.user_id):
        request.state.deadline.allow(context.settings.request_timeout)
        watching = asyncio.create_task(_end_without_rights(request))
        try:
            yield
        finally:
            watching.cancel()


async def get_stream_place(request: Request) -> AsyncIterator[None]:
    """Take a place for an export. Its first part has as much time as a change of many models, others less."""
    seconds = context_of(request).settings.request_timeout
    async with _stream(request, LongRequest.STREAM):
        request.state.deadline.allow(seconds * BULK_TIMEOUT_FACTOR, part_seconds=seconds)
        yield


STREAM_PLACE = Depends(get_stream_place)


async def get_page_place(request: Request) -> AsyncIterator[None]:
    """Take a place for a list that is sent in parts."""
    async with _stream(request, LongRequest.PAGE):
        yield


PAGE_PLACE = Depends(get_page_place)

TakePlace = Callable[[], Awaitable[None]]


@asynccontextmanager
async def place_when_large(request: Request) -> AsyncIterator[TakePlace]:
    """Yield a function that takes the place of `get_page_place`, for a page that turns out to be large."""
    async with AsyncExitStack() as stack:

        async def take() -> None:
            await stack.enter_async_context(_stream(request, LongRequest.PAGE))

        yield take


async def get_place_when_large(request: Request) -> AsyncIterator[TakePlace]:
    """Yield what `place_when_large` yields."""
    async with place_when_large(request) as take:
        yield take


PlaceWhenLargeDependency = Annotated[TakePlace, Depends(get_place_when_large)]


async def _end_without_rights(request: Request) -> None:
    while True:
        await asyncio.sleep(RECHECK_SECONDS)
        try:
            await require_still_entitled(request)
        except (UnauthorizedError, RightsChangedError):
            # Before the first part, the check of that part gives the answer.
            if request.state.deadline.answering:
                request.state.deadline.end()
                return
        except (ModeldeckError, DatabaseError):
            # It is not known now; each part is checked before it is sent anyway.
            continue


async def get_list_time(request: Request) -> None:
    """Set the deadline of a request for a page of the list."""
    request.state.deadline.allow(context_of(request).settings.list_timeout)


LIST_TIME = Depends(get_list_time)


async def get_list_caller(request: Request) -> Caller:
    """Return the caller of a request for a page of the list, and set its deadline; raises as `get_caller` does."""
    await get_list_time(request)
    return await get_caller(request)


async def require_still_entitled(request: Request) -> None:
    """Authenticate the caller of a request again, because they may have lost rights since it began.

    Raises UnauthorizedError when the credential is no longer valid, RightsChangedError when the caller has fewer
    rights.
    """
    known = await get_caller(request)
    # Not throttled: the credential was valid when the request began, so that nobody guesses here.
    caller: Caller = await request.state.authenticate()
    if not caller.has_rights_of(known):
        raise RightsChangedError


async def get_rights_check(request: Request) -> RightsCheck:
    """Return the function with which work on many records checks, between batches, that its caller still may do it."""
    await get_caller(request)
    return partial(require_still_entitled, request)


RightsCheckDependency = Annotated[RightsCheck, Depends(get_rights_check)]


@dataclass(frozen=True, slots=True)
class BulkWork:
    """What a change of many models needs.

    `place()` takes a place for a block, once the body is there, or raises UnavailableError; `check` is called before
    each batch.
    """

    place: Callable[[], AbstractContextManager[None]]
    check: RightsCheck


async def get_bulk_work(request: Request) -> BulkWork:
    """Return what a change of many models by the caller of a request needs."""
    caller, places = await get_caller(request), context_of(request).places[LongRequest.BULK_CHANGE]
    return BulkWork(partial(places.taken_by, caller.user_id), partial(require_still_entitled, request))


BulkWorkDependency = Annotated[BulkWork, Depends(get_bulk_work)]


async def get_writer(request: Request) -> AsyncIterator[Caller]:
    """Yield the caller of a request that changes something, and count afterwards what it changed, however it ended.

    Raises ForbiddenError for a read-only API key, TooManyWritesError when the caller's write quota is used up.
    """
    caller, context = await get_caller(request), context_of(request)
    if caller.scope is not Scope.WRITE:
        raise ForbiddenError("This key is for reading only.")
    context.write_quota.require(caller.user_id)
    tracker, least = write_tracker(), 0
    try:
        yield caller
        least = 1
    finally:
        context.write_quota.add(caller.user_id, max(least, tracker.changed_models))


WriterDependency = Annotated[Caller, Depends(get_writer)]


async def get_admin(request: Request) -> Caller:
    """Return the caller, who is an admin; raise ForbiddenError for others."""
    caller = await get_caller(request)
    if not caller.is_admin:
        raise ForbiddenError("Only admins may do this.")
    return caller


AdminDependency = Annotated[Caller, Depends(get_admin)]


async def get_admin_writer(admin: AdminDependency, _: WriterDependency) -> Caller:
    """Return the caller, who is an admin and may write; raises ForbiddenError for others, and as `get_writer` does."""
    return admin


AdminWriterDependency = Annotated[Caller, Depends(get_admin_writer)]
