"""Every way into the service, taken from the application itself, so that no test can forget one."""

import re
from typing import NamedTuple

from fastapi.routing import iter_route_contexts

from service.app import API, COMPATIBILITY, create_app
from service.settings import Settings

# Paths that need no caller: health, and what FastAPI serves of the OpenAPI document.
PUBLIC = {
    *(
        "/health/live",
        "/health/ready",
        "/api/health/live",
        "/api/health/ready",
        "/metrics",
        "/static/favicon.png",
    ),
    *("/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"),
}


# What narrows a parameter of a path, such as `{revision:…}`.
_CONVERTOR = re.compile(r":\w+(?=})")


class Door(NamedTuple):
    """One method of one route."""

    method: str
    path: str

    @property
    def address(self) -> str:
        """The path with something in the place of its parameter."""
        return self.path.replace("{revision}", "0" * 32)

    @property
    def inner(self) -> str:
        """The path without what tells the strict and the lenient door apart."""
        return self.path.removeprefix(COMPATIBILITY if self.lenient else API)

    @property
    def lenient(self) -> bool:
        """Whether this is the compatibility door."""
        return self.path.startswith(COMPATIBILITY)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _doors() -> list[Door]:
    found = iter_route_contexts(create_app(Settings(_env_file=None)).routes)
    return [
        Door(method, _CONVERTOR.sub("", str(route.path)))
        for route in found
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


DOORS = _doors()
GUARDED = [door for door in DOORS if door.path not in PUBLIC]
STRICT = [door for door in GUARDED if not door.lenient]
LENIENT = [door for door in GUARDED if door.lenient]
