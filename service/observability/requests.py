"""What is known of each request: its id, in its answer and in every line logged for it, and how it was answered."""

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

HEADER = "X-Request-ID"
# Asked by machines about the process itself: never refused, and not logged at the level of other requests.
PROBES = frozenset({"/health/live", "/health/ready", "/api/health/live", "/api/health/ready", "/metrics"})

_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id(given: bytes | None) -> str:
    """Return the id that a client gave its request, if it may be one, or a new one."""
    if given is not None and _ACCEPTABLE.fullmatch(given):
        return given.decode()
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """One request, when all is over."""

    method: str
    route: str
    status: int
    seconds: float
    probe: bool
    left: bool


class RequestObserver(Protocol):
    """Who wants to know of requests."""

    def begin(self, *, probe: bool) -> None:
        """Take note that a request has come in."""

    def end(self, answered: AnsweredRequest) -> None:
        """Take note of how it went."""
