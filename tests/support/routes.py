"""Every route of the service, taken from the application itself, so that no test can forget one."""

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


# Routes whose answers have no end, and the query with which they have one.
ENDLESS = {f"{API}/models/changes": "?follow=false"}

# The convertor of a path parameter, as in `{revision:…}`.
_CONVERTOR = re.compile(r":\w+(?=})")


class Route(NamedTuple):
    """One method of one route."""

    method: str
    path: str

    @property
    def address(self) -> str:
        """The path with a value for its parameter."""
        return self.path.replace("{revision}", "0" * 32).replace("{id}", "sql-tuning")

    @property
    def inner(self) -> str:
        """The path without the prefix of the strict or the compatibility API."""
        return self.path.removeprefix(COMPATIBILITY if self.is_compatible else API)

    @property
    def is_compatible(self) -> bool:
        """Whether it belongs to the compatibility API."""
        return self.path.startswith(COMPATIBILITY)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _routes() -> list[Route]:
    found = iter_route_contexts(create_app(Settings(_env_file=None)).routes)
    return [
        Route(method, _CONVERTOR.sub("", str(route.path)))
        for route in found
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


ROUTES = _routes()
# What a browser gets, and what signs it in.
SIGNING_IN = {"/sign-in", "/sign-in/key", "/sign-in/link", "/sign-out", "/assets/{version}/{name}"}
OPENAI = "/v1/"
FOR_PROGRAMS = (f"{API}/", OPENAI)
PAGE = [route for route in ROUTES if route.path not in PUBLIC | SIGNING_IN and not route.path.startswith(FOR_PROGRAMS)]
AUTHENTICATED = [route for route in ROUTES if route.path.startswith(FOR_PROGRAMS) and route.path not in PUBLIC]
# What the OpenAPI document describes.
STRICT = [route for route in AUTHENTICATED if not route.is_compatible]
COMPATIBLE = [route for route in AUTHENTICATED if route.is_compatible]
