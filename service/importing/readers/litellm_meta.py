"""LiteLLM's fields about a model as the `meta` of a model here: their places, and their types."""

import math
import re
from typing import Any

_CAPABILITY = "supports_"
_LIMIT = "max_"
_PRICE = re.compile(r"(?:^|_)(?:cost|pricing|multiplier)(?:_|$)")
_NUMBER_NAME = re.compile(r"(?:^|_)(?:cost|multiplier)(?:_|$)|^max_|_tokens$|^[io]?[rt]pm$|^output_vector_size$")
_META_NAMES = {"litellm_provider": "provider"}
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,3})?")
_FLAGS = {"true": True, "false": False}
# Prices are a list of objects at most.
_MAX_DEPTH = 4


def typed_value(name: str, value: Any) -> Any:
    """Return the value of a field, and the number or flag that it is if its name says so and it was written as text.

    Prices, limits and rates are numbers, also inside of a list or an object of prices; `supports_…` are flags.
    """
    return _typed(name, value, _NUMBER_NAME.search(name) is not None, _MAX_DEPTH)


def _typed(name: str, value: Any, is_number: bool, depth: int) -> Any:
    if isinstance(value, str):
        if name.startswith(_CAPABILITY):
            return _FLAGS.get(value.strip().lower(), value)
        return _number(value) if is_number else value
    if not depth or not (is_number or _PRICE.search(name)):
        return value
    if isinstance(value, list):
        return [_typed(name, element, is_number, depth - 1) for element in value]
    if isinstance(value, dict):
        return {
            inner: _typed(str(inner), held, is_number or _NUMBER_NAME.search(str(inner)) is not None, depth - 1)
            for inner, held in value.items()
        }
    return value


def _number(text: str) -> Any:
    written = text.strip()
    if _WHOLE.fullmatch(written):
        return int(written)
    # YAML reads 3e-06, which has no point, as text.
    return number if _DECIMAL.fullmatch(written) and math.isfinite(number := float(written)) else text


def meta_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Return LiteLLM's fields about a model as `meta`, with capabilities, limits and prices each in a group."""
    meta: dict[str, Any] = {}
    for name, value in fields.items():
        group, inner = _meta_place(name, value)
        if group is not None and group not in fields:
            meta.setdefault(group, {})[inner] = value
        elif group is None and inner not in fields:
            meta[inner] = value
        else:
            # The file has a field of that name itself, so this one keeps its own name and nothing is lost.
            meta[name] = value
    return meta


def describes_model(fields: dict[str, Any]) -> bool:
    """Return whether some of the fields say what model it is: its provider, its mode, a limit or a price."""
    return any(
        name in ("litellm_provider", "mode") or name.startswith(_LIMIT) or _PRICE.search(name) for name in fields
    )


def _meta_place(name: str, value: Any) -> tuple[str | None, str]:
    """Return the group of a field in `meta`, None if it is in none, and its name there."""
    if name.startswith(_CAPABILITY) and isinstance(value, bool):
        return "capabilities", name.removeprefix(_CAPABILITY)
    if _PRICE.search(name):
        return "prices", name
    if name.startswith(_LIMIT):
        return "limits", name
    return None, _META_NAMES.get(name, name)
