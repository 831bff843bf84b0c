"""The id of each request, in its answer and its log lines, and what observers learn about an answered request."""

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

HEADER = "X-Request-ID"
# Requests of machines about the process itself: never refused, and logged at the level debug.
PROBES = frozenset({"/health/live", "/health/ready", "/api/health/live", "/api/health/ready", "/metrics"})

_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id(given: bytes | None) -> str:
    """Return the id that the client sent, if it is acceptable, or else a new one."""
    if given is not None and _ACCEPTABLE.fullmatch(given):
        return given.decode()
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that has ended."""

    method: str
    route: str
    status: int
    seconds: float
    probe: bool
    client_left: bool
    # Whether it followed changes: that lasts as long as the client wants.
    followed: bool = False


class RequestObserver(Protocol):
    """Observes requests."""

    def begin(self, *, probe: bool) -> None:
        """Note a request that has arrived."""

    def end(self, answered: AnsweredRequest) -> None:
        """Note a request that has ended."""
