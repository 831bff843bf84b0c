"""The image of a model for an `<img>` of Open WebUI's pages, which sends no header but its session cookie."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from documents.image import IMAGE
from service.auth.authentication import Caller
from service.errors import NotFoundError
from service.http.dependencies import ContextDependency, context_of, get_caller, remember_caller
from service.http.responses import KnownETags
from service.http.root_path import public_path
from service.models.image_routes import answer_with_image
from service.models.item import META_DEFAULTS
from service.models.routes import ModelParams

COOKIE = "token"
_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Cookie",
    # A page of another origin must not show it with the cookie of a visitor.
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def get_image_caller(request: Request) -> Caller:
    """Return the caller of a request for an image: by the header or, without one, by the cookie of Open WebUI.

    Raises as `get_caller` does. A cookie holds a signed token, never an API key, so that nothing can be guessed with
    it. It is not counted as a wrong credential: of one page of a browser whose session has ended, there are dozens.
    """
    token = _session_token(request)
    if "Authorization" in request.headers or token is None:
        return await get_caller(request)
    authenticate = partial(context_of(request).authenticator.resolve_token, token)
    remember_caller(request, await authenticate(), authenticate)
    return await get_caller(request)


def _session_token(request: Request) -> str | None:
    # Several are refused: a proxy might have checked another one.
    pairs = [pair for line in request.headers.getlist("Cookie") for pair in line.split(";")]
    named = [pair.partition("=") for pair in pairs]
    sent = [value.strip() for name, _, value in named if name.strip() == COOKIE]
    return sent[0] if len(sent) == 1 else None


router = APIRouter(prefix="/models")


@router.get("/model/profile/image", response_class=Response)
async def get_compatible_image(
    caller: Annotated[Caller, Depends(get_image_caller)],
    params: Annotated[ModelParams, Query()],
    context: ContextDependency,
    known: KnownETags = None,
) -> Response:
    """Return the image of a model, or redirect to it; to the default picture where there is none for the caller."""
    try:
        answer = await answer_with_image(context, caller, params.id, known)
    except NotFoundError:
        location = public_path(str(META_DEFAULTS[IMAGE]))
        answer = Response(status_code=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": location})
    answer.headers.update(_HEADERS)
    return answer
