"""What LiteLLM says of a model, in its configuration as in its price map, under the names that `meta` has for it."""

import re
from typing import Any

_CAPABILITY = "supports_"
PRICE = re.compile(r"(?:^|_)(?:cost|pricing|multiplier)(?:_|$)")
_LIMIT = re.compile(r"max_")
_RENAMED = {"litellm_provider": "provider"}


def shaped_meta(said: dict[str, Any]) -> dict[str, Any]:
    """Return `meta` with capabilities, limits and prices each in one place, and the rest as it is."""
    meta: dict[str, Any] = {}
    for name, value in said.items():
        group, inner = _place(name, value)
        if group is None or group in said:
            # A field that has the name of a group keeps it, and nothing is lost.
            meta[inner if group is None and inner not in said else name] = value
        else:
            meta.setdefault(group, {})[inner] = value
    return meta


def _place(name: str, value: Any) -> tuple[str | None, str]:
    if name.startswith(_CAPABILITY) and isinstance(value, bool):
        return "capabilities", name.removeprefix(_CAPABILITY)
    if PRICE.search(name):
        return "prices", name
    if _LIMIT.match(name):
        return "limits", name
    return None, _RENAMED.get(name, name)
