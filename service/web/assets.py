"""The style sheet and the scripts of the page, in memory, with a version in their address."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter, Response

from service.errors import NotFoundError
from service.http.responses import KnownETags, tagged_response
from service.http.root_path import public_path

_FOLDER = Path(__file__).with_name("static")
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILES: Mapping[str, bytes] = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir())}
# It changes with the content, so that browsers can keep what they have as long as they like.
VERSION = hashlib.sha256(b"".join(_FILES.values())).hexdigest()[:12]
PREFIX = "/assets"
_FOR_A_YEAR, _ASK_EACH_TIME = "public, max-age=31536000, immutable", "no-cache"

router = APIRouter(prefix=PREFIX, include_in_schema=False)


def asset(name: str) -> str:
    """Return the address of a file in `static/`."""
    return public_path(f"{PREFIX}/{VERSION}/{name}")


@router.get("/{version}/{name}")
async def get_asset(version: str, name: str, known: KnownETags = None) -> Response:
    """Return a file, to anyone."""
    if name not in _FILES:
        raise NotFoundError("There is no such file.")
    headers = {
        "Cache-Control": _FOR_A_YEAR if version == VERSION else _ASK_EACH_TIME,
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    return tagged_response(_FILES[name], _KINDS[Path(name).suffix], headers, known)
