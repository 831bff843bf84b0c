"""LiteLLM's fields about a model as the `meta` of a model here: their places, and their types."""

import re
from typing import Any

_CAPABILITY = "supports_"
_LIMIT = "max_"
_PRICE = re.compile(r"(?:^|_)(?:cost|pricing|multiplier)(?:_|$)")
_META_NAMES = {"litellm_provider": "provider"}
_EXPONENT = re.compile(r"[0-9]{1,30}(?:\.[0-9]{0,30})?[eE][+-]?[0-9]{1,3}")


def typed_value(name: str, value: Any) -> Any:
    """Return the value of a field, and the number that it is if its name says so and it was written as text."""
    # YAML reads 3e-06, which has no point, as text.
    return float(value) if _PRICE.search(name) and isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def meta_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Return LiteLLM's fields about a model as `meta`, with capabilities, limits and prices each in a group."""
    meta: dict[str, Any] = {}
    for name, value in fields.items():
        group, inner = _meta_place(name, value)
        if group is None or group in fields:
            # A field that has the name of a group keeps its place, so that nothing is lost.
            meta[inner if group is None and inner not in fields else name] = value
        else:
            meta.setdefault(group, {})[inner] = value
    return meta


def _meta_place(name: str, value: Any) -> tuple[str | None, str]:
    if name.startswith(_CAPABILITY) and isinstance(value, bool):
        return "capabilities", name.removeprefix(_CAPABILITY)
    if _PRICE.search(name):
        return "prices", name
    if name.startswith(_LIMIT):
        return "limits", name
    return None, _META_NAMES.get(name, name)
