"""Lets scripts of the allowed web pages call the API (the Fetch standard, CORS)."""

from collections.abc import Collection, Sequence
from http import HTTPStatus

from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from service.http.problem_responses import problem

# Which headers a script may send, besides those that need no permission.
SENT = (
    *("Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match"),
    *("Last-Event-ID", "X-Request-ID"),
)
# Which headers of an answer a script may read, besides those that need no permission.
EXPOSED = (
    *("Accept-Patch", "Content-Disposition", "ETag", "Idempotent-Replayed", "Link", "Retry-After"),
    *("WWW-Authenticate", "X-Request-ID"),
)


class Cors(CORSMiddleware):
    """Answers preflight requests by itself, and adds the headers of CORS to every other answer.

    Callers are known by the header `Authorization`, which a browser never adds by itself, so that credentials in the
    sense of CORS, which are cookies, are not allowed.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], routes: Sequence[BaseRoute]) -> None:
        methods = {"HEAD"}.union(*(route.methods or () for route in iter_route_contexts(routes)))
        super().__init__(
            app, allow_origins=origins, allow_methods=sorted(methods), allow_headers=SENT, expose_headers=EXPOSED
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Return the answer to a preflight request: 204, or 400 for what is not allowed."""
        answer = super().preflight_response(request_headers)
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        if answer.status_code == HTTPStatus.OK:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        return problem(HTTPStatus.BAD_REQUEST, f"{bytes(answer.body).decode()}.", headers)
