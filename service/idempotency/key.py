"""The idempotency key of a request: its form, and what is stored of it and of the request."""

import hashlib
import re
from typing import Annotated

from fastapi import Header, Request
from pydantic import WithJsonSchema

from service.errors import IDEMPOTENCY_KEY, InvalidInputError

MAX_KEY_LENGTH = 255
# Visible ASCII, without what a list or a structured field (RFC 9651) gives another meaning.
_CHARACTERS = r"[!#-+\--\[\]-~]"
_KEY = rf'("{_CHARACTERS}{{1,{MAX_KEY_LENGTH}}}"|{_CHARACTERS}{{1,{MAX_KEY_LENGTH}}})'
_WANTED = (
    f"must be 1 to {MAX_KEY_LENGTH} visible ASCII characters without quotes, commas and backslashes, in quotes or not"
)

SentKeys = Annotated[
    list[str] | None,
    Header(
        alias=IDEMPOTENCY_KEY,
        description="Text that no other request of the caller has, such as a UUID, in quotes or not. Within 24 hours, "
        "the same request with the same key is not carried out again, but gets the same answer.",
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_KEY}$", "examples": ['"8e03978e-40d5-43e8-bc93-6894a57f9324"']}),
]


def sent_key(lines: list[str] | None) -> str | None:
    """Return the key that a request has, without quotes; None for a request without one.

    Raises InvalidInputError for several keys, and for text that is none.
    """
    if lines is None:
        return None
    if len(lines) != 1 or not re.fullmatch(_KEY, lines[0]):
        raise InvalidInputError([{"loc": ["header", IDEMPOTENCY_KEY], "msg": _WANTED}])
    return lines[0].strip('"')


def key_hash(user_id: str, key: str) -> str:
    """Return what is stored of a key: nobody else's is the same, whatever text they choose."""
    return hashlib.sha256(f"{user_id}\0{key}".encode()).hexdigest()


def request_hash(request: Request) -> str:
    """Return a hash of the method, the address and the body of a request; the body must have been read."""
    scope = request.scope
    parts = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], request.state.body_sha256)
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
