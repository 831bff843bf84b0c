"""Query strings into typed parameters: strict at the front door, lenient about unknown names at the other."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.errors import SHOWN_NAME_LENGTH, InvalidInputError, invalid_input
from service.http.json_schema import REFERENCE_TEMPLATE

MAX_PARAMETERS = 50
# Of a route one of whose parameters may be repeated.
MAX_REPEATED = 1000

P = TypeVar("P", bound=BaseModel)


class NoParams(BaseModel):
    """The parameters of a route that takes none."""


def _pairs(request: Request, limit: int) -> list[tuple[str, str]]:
    raw: bytes = request.scope["query_string"]
    try:
        text = raw.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=limit)
    except ValueError:
        msg = f"must be UTF-8, percent-encoded, with at most {limit} parameters"
        raise InvalidInputError([{"loc": ["query"], "msg": msg}]) from None


def read_query(request: Request, model: type[P], *, lenient: bool) -> P:
    """Parse the query string of a request into `model`.

    Raises InvalidInputError for a bad value, a repeated parameter that is not a list and, unless
    `lenient`, an unknown one; each error names the parameter and what is allowed.
    """
    known = list(model.model_fields)
    lists = {name for name, field in model.model_fields.items() if get_origin(field.annotation) is list}
    values: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []
    for name, value in _pairs(request, MAX_REPEATED if lists else MAX_PARAMETERS):
        loc = ["query", name[:SHOWN_NAME_LENGTH]]
        if name not in known:
            if not lenient:
                errors.append({"loc": loc, "msg": "unknown query parameter", "allowed": known})
        elif name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            errors.append({"loc": loc, "msg": "must be given only once"})
        else:
            values[name] = value
    parsed: P | None = None
    try:
        parsed = model.model_validate(values)
    except ValidationError as error:
        errors += invalid_input(error, "query").errors
    if errors or parsed is None:
        raise InvalidInputError(errors)
    return parsed


def query_dependency(model: type[P], *, lenient: bool) -> Callable[[Request], Awaitable[P]]:
    """Return a dependency that gives a route its query parameters as `model`."""

    # Asynchronous, though it awaits nothing: the framework would run it in a thread otherwise.
    async def dependency(request: Request) -> P:
        return read_query(request, model, lenient=lenient)

    return dependency


def documented(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Return the parameters of `model` as an OpenAPI parameter list."""
    schema = model.model_json_schema(ref_template=REFERENCE_TEMPLATE)
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", []),
            "description": rest.pop("description", ""),
            "schema": {**rest, **shared},
        }
        for name, definition in schema["properties"].items()
        for rest in [{key: value for key, value in definition.items() if key != "title"}]
    ]
