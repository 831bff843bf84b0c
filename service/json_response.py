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


def json_response(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Render `content` as an application/json answer."""
    return Response(orjson.dumps(content, default=_foreign), headers=headers, media_type=JSON)


async def json_array_response(batches: AsyncIterator[Sequence[Any]]) -> Response:
    """Render all elements of all batches as one array, sent while later batches are still being read.

    What goes wrong before the first batch is there is raised here, so that it is answered with its status;
    after that the answer breaks off, which every client notices: its end is missing.
    """
    first = await anext(batches, None) or ()

    async def parts() -> AsyncIterator[bytes]:
        yield b"[" + _elements(first)
        async for batch in batches:
            if batch:
                yield b"," + _elements(batch)
        yield b"]"

    return StreamingResponse(parts(), media_type=JSON)


def _elements(batch: Sequence[Any]) -> bytes:
    return orjson.dumps(batch, default=_foreign)[1:-1]
