"""Adds to errors of OpenAI's API what its clients read of them: `error.message`."""

from http import HTTPStatus
from typing import Any

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import PROBLEM_JSON

PATH = "/v1/"


class OpenAIErrors:
    """Extends the errors (application/problem+json) of one part of the paths by an error in OpenAI's form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back, with more in it if it is an error."""
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        parts: list[bytes] = []

        async def extended(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_plain_problem(message):
                start = message
            elif start is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body = _with_error(orjson.loads(b"".join(parts)))
                    MutableHeaders(scope=start)["Content-Length"] = str(len(body))
                    await send(start)
                    await send({"type": "http.response.body", "body": body, "more_body": False})

        await self._app(scope, receive, extended)


def _is_plain_problem(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return headers.get("Content-Type", "").startswith(PROBLEM_JSON) and "Content-Encoding" not in headers


def _with_error(problem: dict[str, Any]) -> bytes:
    kind = "server_error" if problem["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return orjson.dumps({**problem, "error": {"message": problem["detail"], "type": kind, "param": None, "code": None}})
