"""Reader of the format `models-dev`: the catalogue of models.dev, `api.json`, provider by provider, as base models."""

from collections.abc import Iterator
from typing import Any

from service.importing.file_head import NO_FIT, FileHead, Fit, share_of
from service.importing.json_scanner import JsonScanner
from service.importing.readers.bundle import UNKNOWN
from service.importing.readers.catalogue import (
    ability_name,
    catalogue_meta,
    first_name,
    number,
    per_token,
    readable,
    senses,
    without,
)
from service.importing.readers.openwebui_models import Notes, left_out
from service.importing.readers.redact import safe_name
from service.importing.readers.secret_texts import looks_secret
from service.importing.source import Item, Source

MODELS = "models"
_OF_PROVIDER = ("env", "npm", "doc", "api")
_OF_MODEL = ("cost", "limit", "modalities", "tool_call", "open_weights", "attachment", "release_date")
_ABLE = ("attachment", "reasoning", "tool_call", "structured_output", "temperature")
_LIMITS = {"context": "max_context_length", "input": "max_input_tokens", "output": "max_output_tokens"}
# There per million tokens, here per token, by the names of LiteLLM's map.
_PRICES = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "reasoning": "output_cost_per_reasoning_token",
    "input_audio": "input_cost_per_audio_token",
    "output_audio": "output_cost_per_audio_token",
}
_LONG_CONTEXT, _ABOVE = "context_over_200k", "_above_200k_tokens"


def fits_models_dev(head: FileHead) -> Fit:
    """Return how well a file fits: an object of providers, most of which have models and how to reach them."""
    providers = [held for held in head.members.values() if held is not None]
    share = share_of(providers, _is_provider)
    if not share:
        near = any(isinstance(held, dict) and isinstance(held.get(MODELS), dict) for held in providers)
        return Fit(0.1, f"a JSON object whose values have {MODELS}, but not how to reach them") if near else NO_FIT
    reason = "a JSON object of providers with models: the catalogue of models.dev"
    return Fit(share, reason if share == 1 else f"{share:.0%} of the first members are {reason}")


def read_models_dev(source: Source) -> Iterator[Item]:
    """Yield every model as a base model `provider/model`, in the order of the file (`openai.models[3]`).

    What is no model becomes an Item with a problem. Raises SourceError when the rest of the file can't be read.
    """
    notes = Notes()
    with source.text() as text:
        scanner = JsonScanner(text, source.bounds)
        if scanner.peek() != "{":
            raise scanner.error("the catalogue of models.dev is a JSON object")
        for provider in scanner.members():
            yield from _models(provider, scanner.value(), notes)
        scanner.end("the catalogue")


def _models(provider: str, held: Any, notes: Notes) -> Iterator[Item]:
    place = safe_name(provider)
    models = held.get(MODELS) if isinstance(held, dict) else None
    if not isinstance(models, dict) or looks_secret(provider, identifies=True):
        yield Item(UNKNOWN, place, problem=f"must be a provider with {MODELS} by name")
        return
    left = notes.new(f"{name} of the provider: left out" for name in _OF_PROVIDER if name in held)
    if left:
        yield Item("note", place, notes=left)
    for at, (name, spec) in enumerate(models.items()):
        yield _item(provider, name, spec, f"{place}.{MODELS}[{at}]", notes)


def _item(provider: str, name: str, spec: Any, position: str, notes: Notes) -> Item:
    model_id = f"{provider}/{name}"
    if looks_secret(name, identifies=True):
        return Item("model", position, problem="the name is or may be a secret")
    read = readable(spec)
    if isinstance(read, str):
        return Item("model", position, {"id": model_id}, read)
    if not any(field in spec for field in _OF_MODEL):
        return Item("model", position, {"id": model_id}, f"is no model: it has none of {', '.join(_OF_MODEL)}")
    entry, secrets = read
    more: list[str] = []
    kept_out: list[str] = []
    value = {
        "id": model_id,
        "base_model_id": None,
        "name": first_name(entry.get("name"), name),
        "meta": _meta(entry, provider, more, kept_out),
    }
    left = notes.new([left_out("provider")]) if "provider" in entry else ()
    return Item("model", position, value, notes=(*secrets, *more, *left), kept_out=tuple(kept_out))


def _meta(entry: dict[str, Any], provider: str, notes: list[str], kept_out: list[str]) -> dict[str, Any]:
    able = {ability_name(name): entry[name] for name in _ABLE if isinstance(entry.get(name), bool)}
    modalities = entry["modalities"] if isinstance(entry.get("modalities"), dict) else {}
    limits = entry["limit"] if isinstance(entry.get("limit"), dict) else {}
    fields = {
        **without(entry, ("id", "name", "provider", "cost", "limit", "modalities", *_ABLE)),
        **{name: entry[name] for name in _ABLE if not isinstance(entry.get(name), bool | None)},
        "provider": provider,
        "supported_modalities": modalities.get("input"),
        "supported_output_modalities": modalities.get("output"),
        # It has 0 where a model has no such limit.
        **{_LIMITS.get(name, name): held for name, held in limits.items() if held not in (0, None)},
    }
    meta = catalogue_meta(fields, kept_out)
    groups = {
        "capabilities": {**able, **senses(modalities.get("input"))},
        "prices": _prices(entry.get("cost"), notes),
    }
    return meta | {name: held for name, held in groups.items() if held}


def _prices(cost: Any, notes: list[str], suffix: str = "") -> dict[str, Any]:
    """Return prices in US dollars per token; what is not understood keeps its unit, which its name then says."""
    if not isinstance(cost, dict):
        if cost is not None:
            notes.append("cost: left out; must be an object")
        return {}
    prices: dict[str, Any] = {}
    for name, given in cost.items():
        price = number(given)
        if name == _LONG_CONTEXT and isinstance(given, dict) and not suffix:
            prices |= _prices(given, notes, _ABOVE)
        elif price is not None and price < 0:
            notes.append(f"cost.{name[:100]}: left out; a negative number is no price")
        elif price is not None and name in _PRICES:
            prices[f"{_PRICES[name]}{suffix}"] = per_token(price)
        elif given is not None:
            prices[f"{name}_cost_per_million_tokens{suffix}"] = given
    return prices


def _is_provider(held: Any) -> bool:
    if not isinstance(held, dict) or not isinstance(held.get(MODELS), dict):
        return False
    models = list(held[MODELS].values())[:20]
    reached = any(name in held for name in _OF_PROVIDER)
    return reached and share_of(models, lambda spec: isinstance(spec, dict) and any(f in spec for f in _OF_MODEL)) > 0.5
