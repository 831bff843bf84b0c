"""The path below which a proxy shows the service, and which it strips: links and addresses must begin with it."""

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

_root_path: ContextVar[str] = ContextVar("root_path", default="")


def public_path(path: str) -> str:
    """Return the path of the service as clients see it: after the path that the proxy strips."""
    return _root_path.get() + path


def own_path(path: str, below: str) -> str:
    """Return a path that `public_path` may have returned as the service knows it, if it is one below `below`."""
    return path.removeprefix(_root_path.get()) if path.startswith(public_path(below)) else path


class RootPath:
    """Tells the application by which path it is reached, as the ASGI specification has it."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the path that the proxy has stripped."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw_path = scope.get("raw_path")
        seen = {
            "root_path": self._root_path,
            "path": self._root_path + scope["path"],
            "raw_path": raw_path if raw_path is None else self._root_path.encode() + raw_path,
        }
        token = _root_path.set(self._root_path)
        try:
            await self._app({**scope, **seen}, receive, send)
        finally:
            _root_path.reset(token)
