"""Routes whose arguments are found without FastAPI's search for them, which takes longer than to read a page."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import ValidationError

from service.http.early_reading import answer_early
from service.http.query_params import Fields, is_repeatable, query_fields
from service.http.strict_model import QueryModel

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
# Where FastAPI keeps what is left when the answer has been sent: dependencies that yield.
_STACK = "fastapi_inner_astack"


class DirectRoute(APIRoute):
    """A route that calls its dependencies and its function itself, with the same results as FastAPI.

    It does so if each dependency takes nothing but the request, and the function besides them only the request, a model
    of the query, and headers as lists of text. Other routes of this class are left to FastAPI.
    """

    def get_route_handler(self) -> Handler:
        """Return what answers a request."""
        left_to_fastapi = super().get_route_handler()
        if self.param_convertors or not _returns_response(self.endpoint):
            return left_to_fastapi
        # One for each router that includes the route, since each adds dependencies of its own. These are known only
        # when all routers are included.
        handler: Handler | None = None

        async def handle(request: Request) -> Response:
            nonlocal handler
            if handler is None:
                if (dependant := self._dependant(request)) is None:
                    return await left_to_fastapi(request)
                arguments = _Arguments.of(dependant)
                handler = arguments.answer if arguments is not None else left_to_fastapi
            return await handler(request)

        return handle

    def _dependant(self, request: Request) -> Dependant | None:
        """Return the dependencies with those of the routers; None for a path that only matches the route's."""
        path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        contexts = iter_route_contexts(request.app.routes)
        found = next((one for one in contexts if one.original_route is self and one.path == path), None)
        # When routes are matched, a line break after the path is ignored.
        return None if found is None else found.dependant


def _returns_response(endpoint: Callable[..., Any]) -> bool:
    returned = get_type_hints(endpoint).get("return")
    return inspect.iscoroutinefunction(endpoint) and isinstance(returned, type) and issubclass(returned, Response)


@dataclass(frozen=True, slots=True)
class _Dependency:
    """What a function depends on: a coroutine function of the request or, if it `yields`, an asynchronous generator."""

    name: str | None
    call: Callable[[Request], Any]
    yields: bool

    @classmethod
    def of(cls, dependant: Dependant) -> "_Dependency | None":
        """Return a dependency, or None if it takes more than the request."""
        call = dependant.call
        yields = inspect.isasyncgenfunction(call)
        if call is None or not (yields or inspect.iscoroutinefunction(call)):
            return None
        if list(inspect.signature(call).parameters) != [dependant.request_param_name] or dependant.scope is not None:
            return None
        return cls(dependant.name, call, yields)

    async def value(self, request: Request, stack: AsyncExitStack) -> Any:
        """Return what the function gets; what yields ends with `stack`."""
        if not self.yields:
            found: Awaitable[Any] = self.call(request)
            return await found
        call: Callable[[Request], AsyncIterator[Any]] = self.call
        return await stack.enter_async_context(asynccontextmanager(call)(request))


@dataclass(frozen=True, slots=True)
class _Query:
    """The query parameters of a function, as one model."""

    name: str
    model: type[QueryModel]
    fields: Fields

    def value(self, request: Request) -> QueryModel:
        """Return the parameters of a request, or raise RequestValidationError."""
        sent = request.query_params
        repeatable = {name for name in sent if is_repeatable(self.fields.get(name))}
        try:
            return self.model.model_validate(
                {name: sent.getlist(name) if name in repeatable else value for name, value in sent.items()}
            )
        except ValidationError as error:
            found = error.errors(include_url=False)
            raise RequestValidationError([{**one, "loc": ("query", *one["loc"])} for one in found]) from None


@dataclass(frozen=True, slots=True)
class _Arguments:
    """The function of a route, and where its arguments come from. `headers` are names and what they are called here."""

    endpoint: Callable[..., Awaitable[Response]]
    dependencies: Sequence[_Dependency]
    query: _Query | None
    headers: Sequence[tuple[str, str]]
    request_name: str | None

    @classmethod
    def of(cls, dependant: Dependant) -> "_Arguments | None":
        """Return where the arguments of a function come from; None if only FastAPI can find them."""
        dependencies = [_Dependency.of(one) for one in dependant.dependencies]
        found = [one for one in dependencies if one is not None]
        headers = [(field.alias, field.name) for field in dependant.header_params]
        query = _query(dependant)
        endpoint = dependant.call
        if endpoint is None or len(found) < len(dependencies) or len({one.call for one in found}) < len(found):
            return None
        if any(field.field_info.annotation != list[str] | None for field in dependant.header_params):
            return None
        names = [*(one.name for one in found), *(name for _, name in headers), dependant.request_param_name]
        known = {*names, query.name if query is not None else None} - {None}
        if known != set(inspect.signature(endpoint).parameters):
            return None
        return cls(endpoint, found, query, headers, dependant.request_param_name)

    async def answer(self, request: Request) -> Response:
        """Answer a request."""
        stack: AsyncExitStack = request.scope[_STACK]
        if request.method == "GET":
            return await answer_early(request, stack, self._respond)
        return await self._respond(request, stack)

    async def _respond(self, request: Request, stack: AsyncExitStack) -> Response:
        arguments: dict[str, Any] = {}
        for dependency in self.dependencies:
            value = await dependency.value(request, stack)
            if dependency.name is not None:
                arguments[dependency.name] = value
        if self.query is not None:
            arguments[self.query.name] = self.query.value(request)
        for header, name in self.headers:
            arguments[name] = request.headers.getlist(header) or None
        if self.request_name is not None:
            arguments[self.request_name] = request
        return await self.endpoint(**arguments)


def _query(dependant: Dependant) -> _Query | None:
    if len(dependant.query_params) != 1 or dependant.call is None:
        return None
    [field] = dependant.query_params
    model = field.field_info.annotation
    if not (isinstance(model, type) and issubclass(model, QueryModel)):
        return None
    return _Query(field.name, model, query_fields(dependant.call))
