"""Which route a request is for, as its template: a path itself would tell ids, and there is no end of paths."""

from collections.abc import Sequence
from re import Pattern

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, compile_path

UNMATCHED = "unmatched"


class RouteTemplates:
    """The templates of an application's routes."""

    def __init__(self, routes: Sequence[BaseRoute] = ()) -> None:
        self._plain: set[str] = set()
        self._patterns: dict[str, Pattern[str]] = {}
        for path in [str(route.path) for route in iter_route_contexts(routes)]:
            pattern, template, parameters = compile_path(path)
            if parameters:
                self._patterns[template] = pattern
            else:
                self._plain.add(path)

    def of(self, path: str) -> str:
        """Return the template of the route that answers at a path, or `unmatched`."""
        if path in self._plain:
            return path
        return next((template for template, pattern in self._patterns.items() if pattern.match(path)), UNMATCHED)
