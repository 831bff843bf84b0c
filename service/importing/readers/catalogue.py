"""What the lists of models of other services share: finding the same thing twice, and numbers, times and `meta`."""

import json
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

from documents.model import MAX_NAME_LENGTH, tidy_meta
from service.importing.readers.litellm_meta import meta_of
from service.importing.readers.redact import without_secrets
from service.importing.records import MAX_RECORD_VALUES, has_more_values
from service.importing.source import Item

# Prices are in US dollars per token, as LiteLLM's map has them.
TOKENS = 10**6
MAX_NUMBER_LENGTH = 40
# What services call the same ability, and what LiteLLM's map calls it.
_ABILITIES = {
    "tools": "function_calling",
    "tool_use": "function_calling",
    "tool_call": "function_calling",
    "tool_calling": "function_calling",
    "trained_for_tool_use": "function_calling",
    "structured_output": "response_schema",
    "structured_outputs": "response_schema",
    "thinking": "reasoning",
}
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")
_SENSES = {"image": "vision", "audio": "audio_input", "video": "video_input", "pdf": "pdf_input"}
_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
# PostgreSQL, Go and others write up to nine decimals, of which Python reads six.
_FRACTION = re.compile(r"\.[0-9]{1,12}(?=Z|[+-]|\Z)")


class Repeats:
    """Finds entries of a list that equal an earlier one, by a digest of each."""

    def __init__(self) -> None:
        self._first_at: dict[bytes, str] = {}

    def note(self, value: dict[str, Any], position: str) -> Item | None:
        """Return the note to be given instead of a model that is the same as one before; None for a new one."""
        text = json.dumps(value, sort_keys=True).encode("utf-8", "surrogatepass")
        first = self._first_at.setdefault(blake2b(text, digest_size=16).digest(), position)
        if first == position:
            return None
        return Item("note", position, {"id": value.get("id")}, notes=(f"equals {first}; both are one model",))


def readable(value: Any) -> tuple[dict[str, Any], tuple[str, ...]] | str:
    """Return an entry without its secrets, and notes on these; or what is wrong with it as a whole."""
    if not isinstance(value, dict):
        return "must be a JSON object"
    if has_more_values(value, MAX_RECORD_VALUES):
        return f"has more than {MAX_RECORD_VALUES:,} values"
    try:
        return without_secrets(value)
    except RecursionError:
        return "nested too deeply"


def catalogue_meta(fields: dict[str, Any], kept_out: list[str]) -> dict[str, Any]:
    """Return what is known about a model as `meta`, as LiteLLM's map has it; nulls are dropped.

    A description or tags of a wrong shape are not in it, but named in `kept_out`.
    """
    kept = {name: value for name, value in fields.items() if value is not None}
    if not isinstance(kept.get("description", ""), str):
        kept_out.append("description: must be text")
        del kept["description"]
    if kept.get("description") == "":
        del kept["description"]
    tags = kept.get("tags")
    if isinstance(tags, list):
        # Some servers give a single empty tag.
        kept["tags"] = [tag for tag in tags if tag != ""]
    if not kept.get("tags", True):
        del kept["tags"]
    try:
        tidy_meta(kept)
    except ValueError as error:
        kept_out.append(f"tags: {error}")
        del kept["tags"]
    return meta_of(kept)


def first_name(*candidates: Any) -> Any:
    """Return the first that can be the name of a model, else the last."""
    for name in candidates[:-1]:
        if isinstance(name, str) and name.strip() and len(name) <= MAX_NAME_LENGTH:
            return name
    return candidates[-1]


def abilities(value: Any) -> dict[str, Any]:
    """Return capabilities by name, of an object (`{name: true}` or `{name: {supported: true}}`) or a list of names."""
    if isinstance(value, list):
        return {ability_name(name): True for name in value if isinstance(name, str) and name}
    if not isinstance(value, dict):
        return {}
    found: dict[str, Any] = {}
    for name, held in value.items():
        supported = held.get("supported") if isinstance(held, dict) else None
        found[ability_name(name)] = supported if isinstance(supported, bool) and len(held) == 1 else held
    return found


def ability_name(name: str) -> str:
    """Return LiteLLM's name of an ability."""
    plain = _NOT_IN_NAME.sub("_", name.casefold()).strip("_") or name
    return _ABILITIES.get(plain, plain)


def senses(inputs: Any) -> dict[str, bool]:
    """Return the abilities that follow from the kinds of input that a model takes."""
    listed = inputs if isinstance(inputs, list) else []
    return {_SENSES[kind]: True for kind in listed if isinstance(kind, str) and kind in _SENSES}


def number(value: Any) -> int | float | None:
    """Return a number, also one that is written as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str) or len(value) > MAX_NUMBER_LENGTH or not _NUMBER.fullmatch(value):
        return None
    if value.lstrip("-").isdigit():
        return int(value)
    return _finite(float(value))


def per_token(value: Any) -> int | float | None:
    """Return a price per token of a price per million tokens; None for what is no number."""
    price = number(value)
    if price is None:
        return None
    try:
        # In decimals, so that 0.15 becomes 1.5e-07 and nothing near it.
        return _finite(float(Decimal(repr(price)) / TOKENS)) if price else 0
    except InvalidOperation:
        return None


def epoch_seconds(value: Any) -> int | None:
    """Return the seconds since 1970 of a time as text (RFC 3339, or a date) or as a number; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) if math.isfinite(value) and 0 < value < 2**40 else None
    if not isinstance(value, str) or len(value) > MAX_NUMBER_LENGTH:
        return None
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", value))
        # Without a zone it is taken for UTC, wherever the import runs.
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return int(seconds) if seconds > 0 else None


def without(fields: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the fields but these."""
    left = set(names)
    return {name: value for name, value in fields.items() if name not in left}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
