"""A follower of changes without I/O: what it sends, what it yields, and when it comes back."""

import logging
from collections.abc import Iterator
from time import monotonic

import httpx

from modeldeck_client.errors import ModeldeckError, NoAnswer, UnexpectedAnswer, error_of
from modeldeck_client.events import Event, Message, MessageDecoder, Resync
from modeldeck_client.requests import Request, pauses

log = logging.getLogger("modeldeck_client")

# The service sends something every 15 seconds.
SILENCE_SECONDS = 40.0
_EVENT_STREAM = "text/event-stream"
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LONGEST_RETRY_AFTER = 300.0


class Follower:
    """One follower, through all of its connections."""

    def __init__(self, since: str | None, patience: float) -> None:
        self._token = since
        self._knows_nothing = since is None
        # Who has been connected comes back as long as it takes; who has not, may have the wrong address.
        self._last_begin: float | None = monotonic() + patience
        self._pauses = pauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        self._after = 0.0
        self._decoder = MessageDecoder()

    @property
    def request(self) -> Request:
        """What to send next."""
        headers = {"Accept": _EVENT_STREAM, **({} if self._token is None else {"Last-Event-ID": self._token})}
        return Request("GET", "/api/models/changes", headers=headers, after=self._after)

    def begin(self, answer: httpx.Response) -> None:
        """Look at the beginning of an answer; raise the error that it stands for. That of an error has been read."""
        if not answer.is_success:
            raise error_of(answer)
        if not answer.headers.get("Content-Type", "").startswith(_EVENT_STREAM):
            raise UnexpectedAnswer(answer)
        self._answer = answer
        self._decoder = MessageDecoder()

    def events(self, part: bytes) -> Iterator[Event]:
        """Yield the events that end in a part of the answer."""
        for message in self._messages(part):
            if message.token is not None:
                self._token = message.token
                self._connected()
                if self._knows_nothing:
                    self._knows_nothing = False
                    yield Resync(message.token)
            if message.event is not None:
                yield message.event

    def _messages(self, part: bytes) -> Iterator[Message]:
        try:
            yield from self._decoder.messages(part)
        except (ValueError, LookupError, TypeError, RecursionError):
            raise UnexpectedAnswer(self._answer) from None

    def disconnected(self, error: ModeldeckError | None) -> None:
        """Prepare to come back after an error, or None when the answer has ended; raise it if that is of no use."""
        failure = error or NoAnswer(httpx.RemoteProtocolError("the stream of changes has ended"))
        wait = max(next(self._pauses), min(failure.retry_after or 0.0, _LONGEST_RETRY_AFTER))
        if not failure.passing or (self._last_begin is not None and monotonic() + wait > self._last_begin):
            raise failure
        self._after = wait
        log.info("following again in %.1f s: %s", wait, failure)

    def _connected(self) -> None:
        self._last_begin = None
        self._pauses = pauses(min(self._decoder.retry_seconds or _FIRST_PAUSE, _LONGEST_PAUSE), _LONGEST_PAUSE)
