"""JSON answers, exact for every value that free-form fields can hold."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
from fastapi import Response
from fastapi.responses import StreamingResponse

JSON = "application/json"


def _foreign(value: Any) -> str:
    # Reached only for types that JSON lacks, written into free-form fields past the service.
    return str(value)


def json_bytes(content: Any) -> bytes:
    """Write a value as JSON, as UTF-8 and on one line."""
    return orjson.dumps(content, default=_foreign)


def json_response(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Render `content` as an application/json answer."""
    return Response(json_bytes(content), headers=headers, media_type=JSON)


async def json_array_response(batches: AsyncIterator[Sequence[Any]]) -> Response:
    """Render all elements of all batches as one array, sent while later batches are still being read."""

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
    """Send the parts of a body as they come.

    What goes wrong before there is anything to send is raised here, so that it is answered with its status;
    after that the answer breaks off, which every client notices: its end is missing.
    """
    first = await anext(parts, b"")

    async def all_parts() -> AsyncIterator[bytes]:
        yield first
        async for part in parts:
            yield part

    return StreamingResponse(all_parts(), headers=headers, media_type=media_type)


def _elements(batch: Sequence[Any]) -> bytes:
    return json_bytes(batch)[1:-1]
