"""JSON responses that keep free-form values exact, responses sent in parts, and responses with an entity tag.

A client that has the content of an entity tag already gets 304 instead (RFC 9110, section 13.1.2).
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Response
from fastapi.responses import StreamingResponse
from pydantic import WithJsonSchema

from documents.freeform import json_bytes
from service.http.etags import WEAK, is_known

JSON = "application/json"
# Rendering more than this at once would stop the event loop for milliseconds.
MAX_RENDERED_BYTES = 256 * 1024
# For the OpenAPI document.
EXAMPLE_TAG = '"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"'
EXAMPLE_WEAK_TAG = 'W/"5891b5b522d5df086d0ff0b110fbd9d2"'

KnownETags = Annotated[
    list[str] | None,
    Header(alias="If-None-Match", description="The entity tags of the copies that the client has, or `*`."),
    # A client that was generated from the OpenAPI document sends the header once, with all the tags in it.
    WithJsonSchema({"type": "string", "examples": [EXAMPLE_TAG]}),
]


def json_response(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return `content` as an application/json response."""
    return Response(json_bytes(content), headers=headers, media_type=JSON)


async def rendered(content: Any) -> Response:
    """Return `content` as an application/json response; for callers that may wait for one."""
    return json_response(content)


def weak_tag(content: bytes) -> str:
    """Return an entity tag for a response that is made of nothing but `content`."""
    return f'{WEAK}"{hashlib.blake2b(content, digest_size=16).hexdigest()}"'


def tagged_json_response(
    body: bytes, known: Sequence[str] | None, tag: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with this JSON and an entity tag, or with 304 when its tag is among the `known` ones.

    By default the tag is a hash of the content. It is weak, since the same content can be sent compressed.
    """
    tagged = {**(headers or {}), "ETag": tag or weak_tag(body)}
    if is_known(tagged["ETag"], known):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={**tagged, "Vary": "Accept-Encoding"})
    return Response(body, headers=tagged, media_type=JSON)


async def json_items(items: AsyncIterator[Sequence[Any]]) -> bytes:
    """Return the beginning of a page, `{items`, as JSON; between the items of a long one, other requests are served."""
    return b"".join([part async for part in _items_parts(items)])


def json_page(items: bytes, others: Mapping[str, Any]) -> bytes:
    """Return a page, `{items, …}`, as JSON, from its beginning."""
    return b"".join((items, b",", json_bytes(others)[1:]))


async def json_page_response(
    items: AsyncIterator[Sequence[Any]], others: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Return a page as JSON, which is sent while its later items are still being read."""
    return await streamed_response(_page_parts(items, others), JSON, headers)


async def _page_parts(items: AsyncIterator[Sequence[Any]], others: Mapping[str, Any]) -> AsyncIterator[bytes]:
    async for part in _items_parts(items):
        yield part
    yield json_page(b"", others)


async def _items_parts(items: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    rendered, size, before = [b'{"items":['], 0, b""
    async for part in items:
        for item in part:
            content = json_bytes(item)
            rendered += (before, content)
            before = b","
            size += len(content)
            if size > MAX_RENDERED_BYTES:
                yield b"".join(rendered)
                rendered, size = [], 0
                await asyncio.sleep(0)
        if rendered:
            # The next part is read only when the client has taken this one.
            yield b"".join(rendered)
            rendered, size = [], 0
    yield b"".join((*rendered, b"]"))


async def json_array_response(batches: AsyncIterator[Sequence[Any]]) -> Response:
    """Return all elements of all batches as one JSON array, which is sent while later batches are still being read."""

    async def parts() -> AsyncIterator[bytes]:
        opened = b"["
        async for batch in batches:
            if batch:
                yield opened + json_bytes(batch)[1:-1]
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


def tagged_response(
    content: bytes, media_type: str, headers: Mapping[str, str], known: Sequence[str] | None
) -> Response:
    """Return a response with `content`, or with 304 when its tag is among the `known` ones."""
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    tagged = {**headers, "ETag": tag}
    if is_known(tag, known):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=tagged)
    return Response(content, headers=tagged, media_type=media_type)
