"""The path below which a proxy shows the service, and which it strips: links that clients get must begin with it."""

from contextvars import ContextVar

current_root_path: ContextVar[str] = ContextVar("root_path", default="")


def public_path(path: str) -> str:
    """Return the path of the service as clients see it: after the path that the proxy strips."""
    return current_root_path.get() + path


def own_path(path: str, below: str) -> str:
    """Return a path that `public_path` may have returned as the service knows it, if it is one below `below`."""
    return path.removeprefix(current_root_path.get()) if path.startswith(public_path(below)) else path
