"""JSON answers, exact for every value that free-form fields can hold."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response


def _foreign(value: Any) -> str:
    # Reached only for types that JSON lacks, written into free-form fields past the service.
    return str(value)


def json_response(content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Render `content` as an application/json answer."""
    return Response(orjson.dumps(content, default=_foreign), headers=headers, media_type="application/json")
