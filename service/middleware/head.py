"""Answers `HEAD` wherever there is a `GET`: with the same status and headers, and without the body."""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadRequests:
    """Passes a `HEAD` request on as a `GET`, and only the beginning of the answer back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. What would make the rest of a `HEAD` request's answer is cancelled."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._answer_head(scope, receive, send)
        else:
            await self._app(scope, receive, _allowing_head(send))

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Shared by both scopes: the access log reads there who the caller is.
        scope.setdefault("state", {})
        allowing, complete = _allowing_head(send), False

        async def head(message: Message) -> None:
            nonlocal complete
            if message["type"] == "http.response.start":
                await allowing(message)
            elif not complete:
                complete = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                if message.get("more_body", False):
                    enough.reschedule(asyncio.get_running_loop().time())
                    # Until it is cancelled, so that the next part is not made meanwhile.
                    await asyncio.Event().wait()

        try:
            async with asyncio.timeout(None) as enough:
                await self._app({**scope, "method": "GET"}, receive, head)
        except TimeoutError:
            if not enough.expired():
                raise


def _allowing_head(send: Send) -> Send:
    """Return a `send` that adds `HEAD` where an answer allows `GET`, which the routes know nothing of."""

    async def allowing(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 405:
            headers = MutableHeaders(scope=message)
            allowed = {method.strip() for method in headers.get("Allow", "").split(",")} - {""}
            headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
        await send(message)

    return allowing
