"""Query strings: the checks that FastAPI does not make when it reads one into a handler's parameters."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi import Depends, Request, params
from pydantic.fields import FieldInfo

from service.errors import SHOWN_NAME_LENGTH, InvalidInputError
from service.http.strict_model import MAX_REPEATED

MAX_PARAMETERS = 50

Fields = Mapping[str, FieldInfo]


@cache
def query_fields(endpoint: Callable[..., Any]) -> Fields:
    """Return the fields of the query model in a handler's signature; none when it takes no query parameters."""
    for annotation in inspect.get_annotations(endpoint).values():
        # Of `Annotated[Model, Query()]`, the model and then its metadata.
        parts = get_args(annotation)
        if any(isinstance(part, params.Query) for part in parts) and hasattr(parts[0], "model_fields"):
            return {field.alias or name: field for name, field in parts[0].model_fields.items()}
    return {}


def is_repeatable(field: FieldInfo | None) -> bool:
    """Say whether a parameter may be given more than once."""
    return field is not None and get_origin(field.annotation) is list


def query_pairs(request: Request, fields: Fields) -> list[tuple[str, str]]:
    """Return the names and values in a query string.

    Raises InvalidInputError when it is not percent-encoded UTF-8, or has more parameters than any request needs.
    """
    limit = MAX_REPEATED if any(map(is_repeatable, fields.values())) else MAX_PARAMETERS
    raw: bytes = request.scope["query_string"]
    try:
        text = raw.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=limit)
    except ValueError:
        msg = f"must be UTF-8, percent-encoded, with at most {limit} parameters"
        raise InvalidInputError([{"loc": ["query"], "msg": msg}]) from None


def unknown_parameter(name: str, fields: Fields) -> dict[str, Any]:
    """Return the error for a parameter that a route does not have."""
    return {"loc": ["query", name[:SHOWN_NAME_LENGTH]], "msg": "unknown query parameter", "allowed": list(fields)}


def require_unambiguous(pairs: list[tuple[str, str]], fields: Fields) -> None:
    """Raise InvalidInputError for what FastAPI would let pass.

    It keeps the last value of a repeated parameter, and looks at no query string where a handler takes no parameters.
    """
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    for name, _ in pairs:
        if not fields:
            errors.append(unknown_parameter(name, fields))
        elif name in seen and name in fields and not is_repeatable(fields[name]):
            errors.append({"loc": ["query", name], "msg": "must be given only once"})
        seen.add(name)
    if errors:
        raise InvalidInputError(errors)


async def check_query(request: Request) -> None:
    """Check the query string of a request; `get_caller` raises what is wrong with it, once it knows the caller."""
    fields = query_fields(request.scope["endpoint"])
    try:
        require_unambiguous(query_pairs(request, fields), fields)
    except InvalidInputError as error:
        request.state.query_error = error


# For `include_router`: the routes take what is documented and nothing else.
STRICT = [Depends(check_query)]
