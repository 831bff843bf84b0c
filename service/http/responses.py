"""JSON responses that keep every value of free-form fields exact, and responses that are sent in parts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastapi import Response
from fastapi.responses import StreamingResponse

from documents.freeform import json_bytes

JSON = "application/json"


def json_response(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return `content` as an application/json response."""
    return Response(json_bytes(content), headers=headers, media_type=JSON)


async def json_array_response(batches: AsyncIterator[Sequence[Any]]) -> Response:
    """Return all elements of all batches as one JSON array, which is sent while later batches are still being read."""

    async def parts() -> AsyncIterator[bytes]:
        opened = b"["
        async for batch in batches:
            if batch:
                yield opened + _elements(batch)
                opened = b","
        yield b"]" if opened == b"," else b"[]"

    return await streamed_response(parts(), JSON)


async def streamed_response(
    parts: AsyncIterator[bytes], media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response whose body is sent part by part.

    An error before the first part is raised here, so that the client gets its status. After a later error the response
    breaks off without its end, which every client notices.
    """
    first = await anext(parts, b"")

    async def all_parts() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return StreamingResponse(all_parts(), headers=headers, media_type=media_type)


def _elements(batch: Sequence[Any]) -> bytes:
    return json_bytes(batch)[1:-1]
