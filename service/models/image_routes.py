"""The route of a model's image, which is served from the record or redirected to when that is safe."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from documents import ModelRecord
from documents.image import EMBEDDED, IMAGE, INLINE_KINDS, LOCAL, REMOTE, image_problem, in_ascii, inline_image
from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.client import Database
from service.errors import NotFoundError
from service.http.dependencies import CallerDependency, Context, ContextDependency
from service.http.problems import COMMON_FAILURES, Responses, documented_header, documented_problems
from service.http.responses import EXAMPLE_TAG, KnownETags, tagged_response
from service.http.root_path import public_path
from service.models import operations
from service.models.item import META_DEFAULTS
from service.models.routes import ModelParams

ELSEWHERE = "The image of this model is at an https:// address, and this service is not set to redirect to those."

# Access can be revoked at any time, so a cached copy must be revalidated before each use.
_FOR_ONE_CALLER = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
# An image can be a valid page or script too; it must not run as one.
_INERT = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": "inline",
}


_CACHING = {
    **documented_header(
        "Cache-Control",
        "A copy is for this caller only, and must be revalidated before each use.",
        _FOR_ONE_CALLER["Cache-Control"],
    ),
    **documented_header("Vary", "The request header on which the response depends.", _FOR_ONE_CALLER["Vary"]),
}
_TAG = {**documented_header("ETag", "The SHA-256 of the image, in quotes.", EXAMPLE_TAG), **_CACHING}
_LOCATION = {**documented_header("Location", "Where the image is.", META_DEFAULTS[IMAGE]), **_CACHING}
_ANSWERS: Responses = {
    200: {
        "description": "The image.",
        "content": {f"image/{kind}": {"schema": {"type": "string", "format": "binary"}} for kind in INLINE_KINDS},
        "headers": _TAG,
    },
    304: {"description": "The client has the image already.", "headers": _TAG},
    307: {
        "description": "The image is at another address; for a model without one, the default image.",
        "headers": _LOCATION,
    },
    **documented_problems(HTTPStatus.NOT_FOUND, *COMMON_FAILURES),
}


router = APIRouter(prefix="/models", tags=["models"])


@router.get("/model/profile/image", response_class=Response, responses=_ANSWERS)
async def get_image(
    caller: CallerDependency,
    params: Annotated[ModelParams, Query()],
    context: ContextDependency,
    known: KnownETags = None,
) -> Response:
    """Return the image of a model, or redirect to it.

    404 for a model that does not exist or is hidden from the caller, and for an image that is not safe to show.
    """
    return await answer_with_image(context, caller, params.id, known)


async def answer_with_image(
    context: Context, caller: Caller, model_id: str, known: Sequence[str] | None = None
) -> Response:
    """Return a response with the image of a model, or with where it is; raise NotFoundError when there is none."""
    match = {"_id": model_id, **access_rule.readable(caller)}
    found = await context.database.find(ModelRecord, match, fields=[f"meta.{IMAGE}"])
    if not found:
        raise NotFoundError(operations.HIDDEN)
    url = _safe_image(found[0])
    if inline := inline_image(url):
        kind, image = inline
        return tagged_response(image, f"image/{kind}", {**_FOR_ONE_CALLER, **_INERT}, known)
    if url.startswith(REMOTE) and not context.settings.image_redirects:
        raise NotFoundError(ELSEWHERE)
    location = in_ascii(public_path(url) if url.startswith(LOCAL) else url)
    headers = {**_FOR_ONE_CALLER, "Location": location}
    return Response(status_code=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)


async def with_embedded_images(database: Database, caller: Caller, model_ids: Sequence[str]) -> set[str]:
    """Return those of the models whose image is in the record, and that the caller may read."""
    if not model_ids:
        return set()
    match = {"_id": {"$in": list(model_ids)}, **access_rule.readable(caller)}
    embedded = {f"meta.{IMAGE}": {"$regex": f"^{EMBEDDED}image/"}}
    return {found["_id"] for found in await database.find(ModelRecord, {**match, **embedded}, fields=["_id"])}


def _safe_image(record: Mapping[str, Any]) -> str:
    # An image that was written past the service is checked like one that a client sends.
    meta = record.get("meta")
    url = meta.get(IMAGE) if isinstance(meta, dict) else None
    if problem := image_problem(url):
        raise NotFoundError(f"The image of this model can't be shown: {IMAGE} {problem}.")
    return str(url or META_DEFAULTS[IMAGE])


_FAVICON = Path(__file__).with_name("static").joinpath("favicon.png").read_bytes()
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=86400"}

static_router = APIRouter(prefix="/static", include_in_schema=False)


@static_router.get("/favicon.png")
async def get_favicon(known: KnownETags = None) -> Response:
    """Return the default image, to anyone."""
    return tagged_response(_FAVICON, "image/png", _HEADERS, known)
