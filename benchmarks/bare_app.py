"""The floor of the throughput: an application that answers every request with an empty JSON object."""

from typing import Any

_START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
_BODY = {"type": "http.response.body", "body": b"{}"}


async def app(scope: Any, _receive: Any, send: Any) -> None:
    """Answer one request."""
    if scope["type"] == "http":
        await send(_START)
        await send(_BODY)
