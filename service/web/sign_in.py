"""Signing in with an API key or a link, and signing out."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Cookie, Query, Request, Response

from service.errors import TooManyLoginFailuresError, UnauthorizedError
from service.http.dependencies import Context, ContextDependency
from service.http.root_path import current_root_path, public_path
from service.web.dependencies import COOKIE
from service.web.forms import read_form, require_own_origin, require_token
from service.web.rendering import HEADERS, html
from service.web.sessions import begin_session, end_session, form_token, use_link

SIGN_IN = "/sign-in"
MAX_FORM_BYTES = 20_000
WRONG = "This key is not valid, or no longer. A key begins with mdk_ and was shown once, when it was made."
TOKEN = "This is a token of another service. To sign in here, use an API key."  # noqa: S105

router = APIRouter(include_in_schema=False)

CookieParam = Annotated[str | None, Cookie(alias=COOKIE)]


def local_address(address: str | None) -> str:
    """Return an address within the page, as the browser knows it; the catalogue instead of any other."""
    # Browsers take `//host` and `/\host` for other sites, and drop line breaks and tabs. A header is ASCII.
    local = address.startswith("/") and not address.startswith(("//", "/\\")) if address else False
    return public_path(address if address and local and address.isascii() and address.isprintable() else "/")


@router.get(SIGN_IN)
async def show_sign_in(
    destination: Annotated[str | None, Query(alias="next", max_length=8000)] = None,
    ended: Annotated[str | None, Query(max_length=10)] = None,
) -> Response:
    """Return the form to sign in."""
    return _form(destination, ended=ended is not None)


def _form(destination: str | None, status: int = 200, *, problem: str | None = None, ended: bool = False) -> Response:
    target = local_address(destination)
    return html("sign_in.html", status=status, next=destination or "/", target=target, problem=problem, ended=ended)


@router.post(f"{SIGN_IN}/key")
async def sign_in(request: Request, context: ContextDependency, earlier: CookieParam = None) -> Response:
    """Begin a session with an API key, and go where the browser was going; a wrong key counts as a guess."""
    require_own_origin(request)
    form = await read_form(request, MAX_FORM_BYTES)
    destination = form.line("next")
    address = request.client.host if request.client else None
    try:
        caller = await context.login_throttle.resolve(
            f"Bearer {form.line('key')}", address, context.authenticator.resolve
        )
    except UnauthorizedError:
        return _form(destination, HTTPStatus.UNAUTHORIZED, problem=WRONG)
    except TooManyLoginFailuresError as error:
        answer = _form(destination, error.status, problem=error.detail)
        answer.headers.update(error.headers)
        return answer
    if caller.api_key_id is None:
        return _form(destination, HTTPStatus.UNPROCESSABLE_ENTITY, problem=TOKEN)
    await _end(context, earlier)
    answer = Response(status_code=HTTPStatus.SEE_OTHER, headers={**HEADERS, "Location": local_address(destination)})
    return with_cookie(answer, request, await begin_session(context.database, caller))


@router.post(f"{SIGN_IN}/link")
async def sign_in_by_link(request: Request, context: ContextDependency, earlier: CookieParam = None) -> Response:
    """Begin a session by the token of a link, which a script sends; 204, or 401 as for a wrong key."""
    require_own_origin(request)
    token = (await read_form(request, MAX_FORM_BYTES)).line("token")

    async def used(_: str | None) -> str:
        return await use_link(context.database, context.authenticator, token)

    address = request.client.host if request.client else None
    secret = await context.login_throttle.resolve(f"Link {token}", address, used)
    await _end(context, earlier)
    return with_cookie(Response(status_code=HTTPStatus.NO_CONTENT), request, secret)


@router.post("/sign-out")
async def sign_out(request: Request, context: ContextDependency, secret: CookieParam = None) -> Response:
    """End the session, also one that is not valid any more."""
    require_own_origin(request)
    form = await read_form(request, MAX_FORM_BYTES)
    if secret:
        require_token(form, form_token(secret))
        await _end(context, secret)
    answer = Response(status_code=HTTPStatus.SEE_OTHER, headers={**HEADERS, "Location": public_path(SIGN_IN)})
    return without_cookie(answer)


async def _end(context: Context, secret: str | None) -> None:
    if secret:
        await end_session(context.database, secret)


def with_cookie(answer: Response, request: Request, secret: str) -> Response:
    """Return an answer that has the browser keep the id of a session, for this service and until it is closed."""
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, secret, path=_path(), secure=secure, httponly=True, samesite="strict")
    return answer


def without_cookie(answer: Response) -> Response:
    """Return an answer that has the browser forget the session."""
    answer.delete_cookie(COOKIE, path=_path(), httponly=True, samesite="strict")
    return answer


def _path() -> str:
    return current_root_path.get() or "/"
