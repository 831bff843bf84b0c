"""Tells the application below which path a proxy shows it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.root_path import current_root_path


class RootPath:
    """Passes requests on as the ASGI specification has it: with the path that the proxy has stripped."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; links in its answer begin with the path."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw_path = scope.get("raw_path")
        seen = {
            "root_path": self._root_path,
            "path": self._root_path + scope["path"],
            "raw_path": raw_path if raw_path is None else self._root_path.encode() + raw_path,
        }
        token = current_root_path.set(self._root_path)
        try:
            await self._app({**scope, **seen}, receive, send)
        finally:
            current_root_path.reset(token)
