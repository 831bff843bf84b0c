"""Begins to read for the caller whom a credential had before, while it is being looked up whom it has now."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

from fastapi import Request, Response

from service.auth.authentication import Caller
from service.database.concurrently import together
from service.http.dependencies import address_of, authenticated, context_of, credential_of

# Answers a request; what it depends on until the answer has been sent ends with the stack.
Respond = Callable[[Request, AsyncExitStack], Awaitable[Response]]


async def answer_early(request: Request, stack: AsyncExitStack, respond: Respond) -> Response:
    """Return the answer to a request that changes nothing, or raise its error.

    The caller of the last request with this credential is only a guess, for which it is begun to respond. The outcome,
    also an error, counts only if the caller who is looked up meanwhile has the same rights. If not, or without a
    guess, `respond` is called for the caller who was looked up.
    """
    if (expected := _expect_caller(request)) is not None:
        async with AsyncExitStack() as attempt:
            outcome, caller = await _for_expected(request, attempt, respond)
            if caller.has_same_rights(expected):
                if isinstance(outcome, Exception):
                    raise outcome
                await stack.enter_async_context(attempt.pop_all())
                return outcome
    return await respond(request, stack)


def _expect_caller(request: Request) -> Caller | None:
    """Have `get_caller` return the expected caller of a request until they are authenticated; return them, if any."""
    context, credential = context_of(request), credential_of(request)
    authenticator = context.authenticator
    # Of a credential that is not checked, nobody is expected.
    if credential is None or context.login_throttle.refused_for(credential, address_of(request)):
        return None
    expected = authenticator.expected(credential)
    if expected is not None:
        # Not where the access log and others find who has been authenticated.
        request.state.expected_caller = expected
        request.state.authenticate = partial(authenticator.resolve, credential)
    return expected


async def _for_expected(
    request: Request, attempt: AsyncExitStack, respond: Respond
) -> tuple[Response | Exception, Caller]:
    outcome: Response | Exception
    # If there is no such caller any more, the attempt is cancelled, and so is what it does in the database.
    async with together() as group:
        looked_up = group.create_task(authenticated(request))
        try:
            outcome = await respond(request, attempt)
        except Exception as error:  # raised when it is known whose it is
            outcome = error
        caller = await looked_up
    return outcome, caller
