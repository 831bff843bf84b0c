"""A deadline for every request, and an end to what is done for a client that has left."""

import asyncio
import logging
from contextlib import suppress
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.database.work_context import Deadline, WriteTracker, current_deadline, current_write_tracker
from service.http.problems import SAFE_METHODS, UNKNOWN_OUTCOME, problem

log = logging.getLogger("modeldeck")

# So much earlier, or a tenth of the time, the database is given up: its failures say more, and there is time to answer.
MOST_MARGIN_SECONDS = 0.25
OVERDUE = "The answer took longer than it may."
# Whoever takes an answer part by part, each just in time, holds a place for so many times what a request may take.
MOST_RENEWALS = 20
# Read before anybody has asked for it: whether a client has left is seen only behind what it has sent.
MOST_AHEAD_BYTES = 262_144
# What a message takes besides its body, which can be empty.
MESSAGE_BYTES = 512
LAST_WORD_SECONDS = 1.0
ANNOUNCE_A_BODY = {b"content-length", b"transfer-encoding"}


class RequestDeadline(Deadline):
    """The deadline of one request, at which it is cancelled wherever it is."""

    def __init__(self, seconds: float, timeout: asyncio.Timeout) -> None:
        """Set the deadline to `seconds` from now; `timeout` is what cancels the request."""
        super().__init__(_for_calls(seconds))
        self._timeout = timeout
        self._begun = asyncio.get_running_loop().time()
        self.allow(seconds)

    def allow(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now, and its renewals; one that is over stays over."""
        if self._timeout.expired():
            return
        super().allow(_for_calls(seconds))
        self._seconds = seconds
        self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)

    def renew(self) -> None:
        """Begin the time anew: a part of what was asked for is done. That is done so often only, in all."""
        if asyncio.get_running_loop().time() < self._begun + MOST_RENEWALS * self._seconds:
            self.allow(self._seconds)

    def end(self) -> None:
        """Cancel the request now, unless it is being cancelled already."""
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time())


def _for_calls(seconds: float) -> float:
    return seconds - min(MOST_MARGIN_SECONDS, seconds / 10)


class _Exchange:
    """The messages of one request, from and to the server."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, deadline: RequestDeadline) -> None:
        self._receive = receive
        self._send = send
        self._deadline = deadline
        self._received: asyncio.Queue[Message] = asyncio.Queue()
        self._ahead = 0
        self._wanted = asyncio.Event()
        # To begin to receive is to tell a client who waits for that to send it all.
        headers = {name for name, _ in scope["headers"]}
        if b"expect" not in headers or not headers & ANNOUNCE_A_BODY:
            self._wanted.set()
        self.begun = self.complete = self.abandoned = False

    async def relay(self) -> None:
        """Pass on what comes from the client, and notice when they have left."""
        while not self.abandoned:
            await self._wanted.wait()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.abandoned = True
                # After an answer, this is no news.
                if not self.complete:
                    self._deadline.end()
            self._received.put_nowait(message)
            self._ahead += _size(message)
            if self._ahead > MOST_AHEAD_BYTES:
                self._wanted.clear()

    async def receive(self) -> Message:
        if self._received.empty():
            self._wanted.set()
        message = await self._received.get()
        self._ahead -= _size(message)
        if self._ahead <= MOST_AHEAD_BYTES:
            self._wanted.set()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
        else:
            self.complete = not message.get("more_body", False)
        await self._send(message)
        if self.begun and not self.complete:
            # An answer in parts may take long, but each of them has to be taken.
            self._deadline.renew()


def _size(message: Message) -> int:
    return MESSAGE_BYTES + len(message.get("body", b""))


class RequestTimeout:
    """Bounds the time of each request: `seconds`, unless its route allows it more."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; cancel it at its deadline, with 504, or when its client leaves."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        outcome = WriteTracker()
        token = current_write_tracker.set(outcome)
        try:
            async with asyncio.timeout(None) as timeout:
                deadline = RequestDeadline(self._seconds, timeout)
                exchange = _Exchange(scope, receive, send, deadline)
                await self._exchanged(scope, exchange, deadline)
        except TimeoutError:
            if not timeout.expired():
                raise
            await _answer_overdue(scope, exchange, outcome, receive, send)
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
    scope: Scope, exchange: _Exchange, outcome: WriteTracker, receive: Receive, send: Send
) -> None:
    if exchange.abandoned:
        log.debug("the client has left")
        return
    if exchange.begun:
        # The server notices that the end is missing, and so does the client.
        log.warning("an answer was broken off: %s", OVERDUE)
        return
    unknown = UNKNOWN_OUTCOME if outcome.may_have_changed and scope["method"] not in SAFE_METHODS else ""
    # Who does not even take the answer before this one will not take it either.
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORD_SECONDS):
            await problem(HTTPStatus.GATEWAY_TIMEOUT, OVERDUE + unknown)(scope, receive, send)
