"""The compatibility API, `/api/v1`: the same handlers for clients of Open WebUI, which send more than these take."""

from typing import Any, get_args
from urllib.parse import urlencode

from fastapi import Depends, Request
from pydantic import BaseModel

from service.errors import InvalidInputError
from service.http.query_params import Fields, is_repeatable, query_fields, query_pairs, require_unambiguous


async def take_from_existing_client(request: Request) -> None:
    """Drop the query parameters that a route does not know, and have its body read by `compatible_body`."""
    request.state.compatible = True
    fields = query_fields(request.scope["endpoint"])
    try:
        named = [(_current_name(name, fields), value) for name, value in query_pairs(request, fields)]
        pairs = [(name, value) for name, value in named if name in fields]
        require_unambiguous(pairs, fields)
    except InvalidInputError as error:
        request.state.query_error = error
        return
    request.scope["query_string"] = urlencode(pairs).encode("ascii")
    # FastAPI has parsed the query string before it calls this, and keeps the result here.
    vars(request).pop("_query_params", None)


# For `include_router`, in place of `STRICT`.
COMPATIBLE = [Depends(take_from_existing_client)]


def is_compatible(request: Request) -> bool:
    """Say whether a request was made to the compatibility API."""
    return getattr(request.state, "compatible", False)


def _current_name(name: str, fields: Fields) -> str:
    """Return the name of a parameter here: an export takes the repeated `id` that is `ids` in Open WebUI."""
    return "id" if name == "ids" and is_repeatable(fields.get("id")) else name


def compatible_body(model: type[BaseModel], value: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON body without the fields that `model` does not have; so too each model in a set of models."""
    known = _only_known(model, value)
    if isinstance(known.get("models"), list):
        [kind] = get_args(model.model_fields["models"].annotation)
        known["models"] = [_compatible_item(kind, item) for item in known["models"]]
    return known


def _compatible_item(model: type[BaseModel], item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    # Such clients send null for what they leave out; but null for `base_model_id` means that there is none.
    given = {name: value for name, value in item.items() if value is not None or name == "base_model_id"}
    # They send the owner back as they got it.
    given.pop("user_id", None)
    return _only_known(model, given)


def _only_known(model: type[BaseModel], value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in value if name in model.model_fields}
