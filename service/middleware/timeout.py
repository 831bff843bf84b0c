"""Cancels each request at its deadline, or when its client disconnects."""

import asyncio
import logging
import math
from contextlib import suppress
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.database.work_context import Deadline, WriteTracker, current_deadline, current_write_tracker
from service.http.problem_responses import SAFE_METHODS, UNKNOWN_OUTCOME, problem

log = logging.getLogger("modeldeck")

# Database calls end so much earlier, or a tenth of the time: their errors say more, and there is time left to answer.
MAX_MARGIN_SECONDS = 0.25
OVERDUE = "The answer took longer than allowed."
# Read before the application reads it, since a disconnect is received only after all that the client has sent.
MAX_READ_AHEAD_BYTES = 262_144
# The size of a message besides its body, which can be empty.
MESSAGE_BYTES = 512
OVERDUE_ANSWER_SECONDS = 1.0
BODY_HEADERS = {b"content-length", b"transfer-encoding"}


class RequestDeadline(Deadline):
    """The deadline of one request, at which it is cancelled."""

    def __init__(self, seconds: float, answer_seconds: float, timeout: asyncio.Timeout) -> None:
        """Set the deadline to `seconds` from now; `timeout` is what cancels the request.

        An answer in parts may take `answer_seconds` as a whole.
        """
        super().__init__(_for_calls(seconds))
        self._timeout = timeout
        self._last = asyncio.get_running_loop().time() + answer_seconds
        self.answering = False
        self.allow(seconds)

    def allow(self, seconds: float, *, part_seconds: float | None = None) -> None:
        """Move the deadline to `seconds` from now; do nothing after the deadline.

        After each part of the answer there are `part_seconds` for the next one, by default `seconds`.
        """
        self._seconds, self._part_seconds = seconds, part_seconds or seconds
        self._move(seconds)

    def allow_endless(self, part_seconds: float) -> None:
        """Let the answer take any time as a whole, as long as its client takes each part within these seconds."""
        self._last = math.inf
        self.allow(part_seconds)

    def _move(self, seconds: float) -> None:
        if self._timeout.expired():
            return
        super().allow(_for_calls(seconds))
        self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)

    def renew(self) -> None:
        """Restart the time of the request, after it has waited for its client."""
        self._move(self._seconds)

    def part_sent(self) -> None:
        """Restart the time after a part of the answer was sent, unless the whole answer takes too long."""
        self.answering = True
        left = self._last - asyncio.get_running_loop().time()
        if left > 0:
            self._move(min(self._part_seconds, left))

    def end(self) -> None:
        """Cancel the request now, unless it is already being cancelled."""
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())


def _for_calls(seconds: float) -> float:
    return seconds - min(MAX_MARGIN_SECONDS, seconds / 10)


class _Exchange:
    """The messages of one request, from and to the server."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, deadline: RequestDeadline) -> None:
        self._receive = receive
        self._send = send
        self._deadline = deadline
        self._received: asyncio.Queue[Message] = asyncio.Queue()
        self._read_ahead_bytes = 0
        self._wanted = asyncio.Event()
        # With `Expect: 100-continue`, the client sends its body only after the first receive, so that is left to the
        # application.
        headers = {name for name, _ in scope["headers"]}
        if b"expect" not in headers or not headers & BODY_HEADERS:
            self._wanted.set()
        self.started = self.complete = self.abandoned = False

    async def relay(self) -> None:
        """Receive the messages of the client for the application, and notice a disconnect."""
        while not self.abandoned:
            await self._wanted.wait()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.abandoned = True
                # After a complete answer, a disconnect is normal.
                if not self.complete:
                    self._deadline.end()
            self._received.put_nowait(message)
            self._read_ahead_bytes += _size(message)
            if self._read_ahead_bytes > MAX_READ_AHEAD_BYTES:
                self._wanted.clear()

    async def receive(self) -> Message:
        if self._received.empty():
            self._wanted.set()
        message = await self._received.get()
        self._read_ahead_bytes -= _size(message)
        if self._read_ahead_bytes <= MAX_READ_AHEAD_BYTES:
            self._wanted.set()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
        else:
            self.complete = not message.get("more_body", False)
        await self._send(message)
        if self.started and not self.complete:
            # An answer in parts may take long, but the client must read each part in time.
            self._deadline.part_sent()


def _size(message: Message) -> int:
    return MESSAGE_BYTES + len(message.get("body", b""))


class RequestTimeout:
    """Limits the time of each request to `seconds`, unless its route allows another time.

    An answer in parts may take `answer_seconds`.
    """

    def __init__(self, app: ASGIApp, seconds: float, answer_seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self._answer_seconds = answer_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; cancel it at its deadline, with 504, or when its client disconnects."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        tracker = WriteTracker()
        token = current_write_tracker.set(tracker)
        try:
            async with asyncio.timeout(None) as timeout:
                deadline = RequestDeadline(self._seconds, self._answer_seconds, timeout)
                exchange = _Exchange(scope, receive, send, deadline)
                await self._exchanged(scope, exchange, deadline)
        except TimeoutError:
            if not timeout.expired():
                raise
            await _answer_overdue(scope, exchange, tracker, receive, send)
        finally:
            current_write_tracker.reset(token)

    async def _exchanged(self, scope: Scope, exchange: _Exchange, deadline: RequestDeadline) -> None:
        scope.setdefault("state", {})["deadline"] = deadline
        token = current_deadline.set(deadline)
        relaying = asyncio.create_task(exchange.relay())
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            relaying.cancel()
            current_deadline.reset(token)


async def _answer_overdue(
    scope: Scope, exchange: _Exchange, tracker: WriteTracker, receive: Receive, send: Send
) -> None:
    if exchange.abandoned:
        log.debug("the client has disconnected")
        return
    if exchange.started:
        # The server closes the connection, so the client sees that the end is missing.
        log.warning("an answer was broken off: it took longer than allowed")
        return
    unknown = UNKNOWN_OUTCOME if tracker.may_have_changed and scope["method"] not in SAFE_METHODS else ""
    # A client that does not read an earlier answer on the connection would not read this one either.
    with suppress(TimeoutError):
        async with asyncio.timeout(OVERDUE_ANSWER_SECONDS):
            await problem(HTTPStatus.GATEWAY_TIMEOUT, OVERDUE + unknown)(scope, receive, send)
