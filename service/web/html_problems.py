"""Shows browsers errors as pages, wherever in the service they arise; everybody else gets them as they are."""

from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import PROBLEM_JSON
from service.http.root_path import current_root_path
from service.web.dependencies import COOKIE
from service.web.rendering import HEADERS, html
from service.web.sign_in import SIGN_IN, without_cookie

# What is for programs, and what an answer of the page may be a part of.
NO_PAGES = ("/api/", "/v1/", "/health", "/metrics", "/static/", "/assets/", "/docs", "/redoc", "/openapi.json")
_TITLES = {
    401: "You are signed out",
    403: "This is not for you",
    404: "Nothing to see here",
    405: "There is no page here",
    409: "That did not fit",
    412: "Somebody was faster",
    413: "That is too large",
    422: "That address does not work",
    429: "Slow down a little",
    503: "The service is busy",
    504: "That took too long",
}


LOST_SESSION = "Nothing was changed. Sign in again in another tab, then go back: what you have typed is still there."


class HtmlProblems:
    """Turns errors (application/problem+json) into pages for browsers; somebody who is signed out may sign in."""

    def __init__(self, app: ASGIApp, root_path: str | None) -> None:
        self._app = app
        self._root_path = root_path or ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back, as a page if it is an error and the client wants one."""
        if scope["type"] != "http" or not _wants_a_page(scope):
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def shown(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_problem(message):
                held.append(message)
            elif not held:
                await send(message)
            else:
                held.append(message)
                if not message.get("more_body", False):
                    await self._page(scope, held)(scope, receive, send)

        await self._app(scope, receive, shown)

    def _page(self, scope: Scope, held: list[Message]) -> Response:
        problem = orjson.loads(b"".join(message.get("body", b"") for message in held[1:]))
        token = current_root_path.set(self._root_path)
        try:
            return _answer(scope, Headers(raw=held[0]["headers"]), problem)
        finally:
            current_root_path.reset(token)


def _wants_a_page(scope: Scope) -> bool:
    accepted = Headers(scope=scope).get("Accept", "")
    return "text/html" in accepted and not scope["path"].startswith(NO_PAGES)


def _is_problem(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("Content-Type", "").startswith(PROBLEM_JSON)


def _answer(scope: Scope, headers: Headers, problem: dict[str, Any]) -> Response:
    status: int = problem["status"]
    if status == HTTPStatus.UNAUTHORIZED:
        return _signed_out(scope)
    shown = html(
        "error.html",
        status=status,
        title=_TITLES.get(status, problem["title"]),
        detail=problem["detail"],
        problems=problem.get("errors", []),
        kind=status,
    )
    for name in ("Retry-After", "Allow"):
        if name in headers:
            shown.headers[name] = headers[name]
    return shown


def _signed_out(scope: Scope) -> Response:
    known = COOKIE in Headers(scope=scope).get("Cookie", "")
    if scope["method"] in {"GET", "HEAD"}:
        asked = quote(scope["path"]) + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
        query = {"next": asked} if asked != "/" else {}
        address = f"{current_root_path.get()}{SIGN_IN}?{urlencode({**query, **({'ended': 1} if known else {})})}"
        shown = Response(status_code=HTTPStatus.SEE_OTHER, headers={**HEADERS, "Location": address.rstrip("?")})
    else:
        shown = html(
            "error.html",
            status=HTTPStatus.UNAUTHORIZED,
            title=_TITLES[401],
            detail=LOST_SESSION,
            problems=[],
            kind=401,
        )
    return without_cookie(shown) if known else shown
