"""The one file that the service has: the image of the models that have none of their own."""

from pathlib import Path

from fastapi import APIRouter, Response

from service.entity_tags import KnownTags, tagged_response

_FAVICON = Path(__file__).with_name("static").joinpath("favicon.png").read_bytes()
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=86400"}

router = APIRouter(prefix="/static", include_in_schema=False)


@router.get("/favicon.png")
async def get_favicon(known: KnownTags = None) -> Response:
    """Return the default image, to whoever asks."""
    return tagged_response(_FAVICON, "image/png", _HEADERS, known)
