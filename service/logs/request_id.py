"""The id of the request that this task works for: in its answer, and in every line that is logged for it."""

import re
import secrets
from contextvars import ContextVar

HEADER = "X-Request-ID"

_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")

current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def request_id(given: bytes | None) -> str:
    """Return the id that a client gave its request, if it may be one, or a new one."""
    if given is not None and _ACCEPTABLE.fullmatch(given):
        return given.decode()
    return secrets.token_hex(16)
