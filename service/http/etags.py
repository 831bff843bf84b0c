"""Responses with an entity tag; a client that has the content already gets 304 instead (RFC 9110, section 13.1.2)."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated

from fastapi import Header, Response
from pydantic import WithJsonSchema

# For the OpenAPI document.
EXAMPLE_TAG = '"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"'
_TAG = re.compile(r'"[^"]*"')

KnownETags = Annotated[
    list[str] | None,
    Header(alias="If-None-Match", description="The entity tags of the copies that the client has, or `*`."),
    # A client that was generated from the OpenAPI document sends the header once, with all the tags in it.
    WithJsonSchema({"type": "string", "examples": [EXAMPLE_TAG]}),
]


def tagged_response(
    content: bytes, media_type: str, headers: Mapping[str, str], known: Sequence[str] | None
) -> Response:
    """Return a response with `content`, or with 304 when its tag is among the `known` ones."""
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    tagged = {**headers, "ETag": tag}
    if _is_among(tag, known or ()):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=tagged)
    return Response(content, headers=tagged, media_type=media_type)


def _is_among(tag: str, known: Sequence[str]) -> bool:
    # Weak tags match too: If-None-Match compares weakly.
    listed = ", ".join(known)
    return listed.strip() == "*" or tag in _TAG.findall(listed)
