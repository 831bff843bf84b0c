"""A deadline for every request, and cancellation of work whose client has disconnected."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.database.work_context import current_deadline, write_tracker
from service.middleware import timeout
from service.middleware.timeout import MAX_READ_AHEAD_BYTES, MESSAGE_BYTES, OVERDUE, RequestTimeout
from tests.support.asgi_exchange import Exchange

SHORT, LONG = 0.05, 30.0
# Long enough even on a machine that is busy for a while.
LONG_ENOUGH = 1.0


def timed(app: ASGIApp, seconds: float, answer_seconds: float = LONG) -> RequestTimeout:
    """Return an application whose requests may take `seconds`, and an answer in parts `answer_seconds`."""
    return RequestTimeout(app, seconds, answer_seconds)


class NeverAnswers:
    """An application that never answers, and records its cancellation."""

    def __init__(self, *, changes: bool = False) -> None:
        self.begun = asyncio.Event()
        self.stopped = False
        self._changes = changes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun.set()
        if self._changes:
            write_tracker().changing(at_commit=False)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.stopped = True
            raise


async def disconnect_midway(never: NeverAnswers, exchange: Exchange, app: ASGIApp) -> None:
    """Send a request, disconnect while the application works on it, and assert that the work is cancelled."""
    asking = asyncio.create_task(exchange.with_app(timed(app, LONG)))
    async with asyncio.timeout(LONG):
        await never.begun.wait()
        exchange.disconnect()
        await asking
    assert never.stopped


@pytest.mark.parametrize(
    ("method", "changes", "unknown"),
    [("GET", True, False), ("HEAD", True, False), ("POST", True, True), ("DELETE", True, True), ("POST", False, False)],
)
async def test_what_takes_too_long_is_stopped_and_answered_with_504(method: str, changes: bool, unknown: bool) -> None:
    app = NeverAnswers(changes=changes)
    answered = await Exchange(method=method).with_app(timed(app, SHORT))
    assert (answered.status, app.stopped) == (504, True)
    assert answered.response_headers["content-type"] == "application/problem+json"
    assert OVERDUE.encode() in answered.body
    assert (b"not known" in answered.body) == unknown


async def test_what_is_done_for_a_client_that_leaves_is_stopped() -> None:
    app = NeverAnswers()
    exchange = Exchange(parts=(b"a", b"b"), method="POST")

    async def reads_first(scope: Scope, receive: Receive, send: Send) -> None:
        assert await Request(scope, receive).body() == b"ab"
        await app(scope, receive, send)

    await disconnect_midway(app, exchange, reads_first)
    assert exchange.sent == []


async def test_a_client_that_leaves_is_noticed_behind_a_body_that_nobody_reads() -> None:
    app = NeverAnswers()
    await disconnect_midway(app, Exchange(method="POST", parts=[b"x" * 1000] * 20), app)


@pytest.mark.parametrize("ahead", [1, MAX_READ_AHEAD_BYTES, MAX_READ_AHEAD_BYTES + 1, 2 * MAX_READ_AHEAD_BYTES])
async def test_a_client_that_leaves_is_noticed_behind_a_body_that_is_read_late(ahead: int) -> None:
    app = NeverAnswers()
    exchange = Exchange(method="POST", parts=[b"x" * (ahead // 2), b"x" * (ahead - ahead // 2)])

    async def reads_late(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(await Request(scope, receive).body()) == ahead
        await app(scope, receive, send)

    await disconnect_midway(app, exchange, reads_late)


async def test_expecting_what_is_not_there_does_not_hide_that_a_client_leaves() -> None:
    app = NeverAnswers()
    await disconnect_midway(app, Exchange(headers={"Expect": "100-continue"}), app)


async def test_expect_100_continue_is_answered_when_the_body_is_read() -> None:
    headers = {"Expect": "100-continue", "Content-Length": "4"}
    exchange = Exchange(method="POST", headers=headers, parts=[b"body"])

    async def looks_first(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        assert exchange._taken == 0
        await PlainTextResponse(await Request(scope, receive).body())(scope, receive, send)

    assert (await exchange.with_app(timed(looks_first, LONG))).body == b"body"


async def test_a_body_comes_through_as_it_was_sent() -> None:
    parts = [str(number).encode() for number in range(1000)]

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(await Request(scope, receive).body())(scope, receive, send)

    answered = await Exchange(method="POST", parts=parts).with_app(timed(echo, LONG))
    assert (answered.status, answered.body) == (200, b"".join(parts))


async def test_a_body_that_nobody_reads_is_not_taken_in() -> None:
    part = b"x" * 50_000
    exchange = Exchange(method="POST", parts=[part] * 1000)

    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(50):
            await asyncio.sleep(0)
        await PlainTextResponse("no", 403)(scope, receive, send)

    assert (await exchange.with_app(timed(refuses, LONG))).status == 403
    assert exchange._taken <= MAX_READ_AHEAD_BYTES / len(part) + 1


async def test_a_body_of_nothing_that_never_ends_is_not_taken_in_either() -> None:
    taken = 0

    async def nothing() -> Message:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"", "more_body": True}

    exchange = Exchange(method="POST")
    app = timed(PlainTextResponse("no", 403), LONG)
    await app(exchange.scope, nothing, exchange.send)
    never = asyncio.create_task(timed(NeverAnswers(), SHORT)(exchange.scope, nothing, exchange.send))
    async with asyncio.timeout(LONG):
        await never
    assert taken <= 2 * (MAX_READ_AHEAD_BYTES / MESSAGE_BYTES + 1)


async def test_a_route_can_allow_itself_more_time_and_less() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send, *, allowed: float) -> None:
        Request(scope).state.deadline.allow(allowed)
        await asyncio.sleep(2 * SHORT)
        await PlainTextResponse("done")(scope, receive, send)

    assert (await Exchange().with_app(timed(partial(answer, allowed=LONG), SHORT))).status == 200
    assert (await Exchange().with_app(timed(partial(answer, allowed=SHORT), LONG))).status == 504


async def test_an_answer_in_parts_may_take_longer_but_each_part_has_to_be_taken() -> None:
    never = asyncio.Event()

    async def slowly(last: float | None) -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b"part"
            await asyncio.sleep(LONG_ENOUGH / 5)
        if last is None:
            await never.wait()
        yield b"end"

    whole, broken = await asyncio.gather(
        *(Exchange().with_app(timed(StreamingResponse(slowly(last)), LONG_ENOUGH)) for last in (0, None))
    )
    assert whole.body.endswith(b"partend")
    assert broken.status == 200
    assert broken.sent[-1]["more_body"] is True


async def test_nobody_can_take_an_answer_for_ever() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"part"
            await asyncio.sleep(LONG_ENOUGH / 10)

    async with asyncio.timeout(LONG):
        broken = await Exchange().with_app(timed(StreamingResponse(endless()), LONG, LONG_ENOUGH))
    assert broken.sent[-1]["more_body"] is True


async def test_a_deadline_that_has_passed_can_not_be_changed_or_pass_again() -> None:
    async def answers_while_it_ends(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            deadline = Request(scope).state.deadline
            deadline.allow(LONG)
            deadline.renew()
            deadline.part_sent()
            deadline.end()
            assert deadline.remaining < SHORT

    assert (await Exchange().with_app(timed(answers_while_it_ends, SHORT))).status == 504


async def test_who_does_not_take_the_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeout, "OVERDUE_ANSWER_SECONDS", SHORT)

    class Deaf(Exchange):
        async def send(self, message: Message) -> None:
            await asyncio.Event().wait()

    async with asyncio.timeout(LONG):
        assert (await Deaf().with_app(timed(NeverAnswers(), SHORT))).sent == []


@pytest.mark.parametrize(("seconds", "most"), [(30.0, 29.75), (10.0, 9.75), (1.0, 0.9)])
async def test_what_works_for_the_request_knows_a_deadline_that_leaves_time_to_answer(
    seconds: float, most: float
) -> None:
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        deadline = current_deadline.get()
        assert deadline is not None
        seen.append(deadline.remaining)
        await PlainTextResponse("done")(scope, receive, send)

    await Exchange().with_app(timed(app, seconds))
    assert 0 < seen[0] <= most
    assert current_deadline.get() is None


async def test_a_timeout_of_the_application_itself_is_not_taken_for_the_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Exchange().with_app(timed(app, LONG))
