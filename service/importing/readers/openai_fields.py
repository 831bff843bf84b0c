"""One model of an answer of `GET /v1/models` as a base model: what services add to OpenAI's few fields."""

from typing import Any

from service.importing.readers.catalogue import (
    abilities,
    ability_name,
    catalogue_meta,
    epoch_seconds,
    first_name,
    number,
    per_token,
    senses,
    without,
)

# Names of the same thing, the first given of which counts.
_SAME = {
    "litellm_provider": ("owned_by", "publisher", "organization", "vendor"),
    "max_context_length": ("context_length", "context_window", "max_model_len", "max_context_length"),
    "max_output_tokens": ("max_output_tokens", "max_completion_tokens", "outputTokenLimit"),
    "max_input_tokens": ("max_input_tokens", "inputTokenLimit"),
    "description": ("description", "summary"),
    "deprecation_date": ("deprecation", "deprecation_date", "expiration_date"),
    "supported_modalities": ("input_modalities", "supported_input_modalities"),
    "supported_output_modalities": ("output_modalities", "supported_output_modalities"),
}
_NAMES = ("display_name", "displayName", "name")
_READ_ELSEWHERE = ("id", "key", "object", "created", "created_at", "parent", "active", *_NAMES)
# The state of a server, not of a model; in the arguments of a process are its keys.
STATE = (
    *("permission", "state", "status", "running", "loaded_instances", "loaded_context_length", "selected_variant"),
    *("actions", "filters", "urlIdx", "openai", "ollama", "connection_type", "arena", "public_apps", "is_free"),
)
# Servers that give the time of the answer for that of each model.
_ANSWERING_NOW = ("vllm", "sglang", "llamacpp", "lmdeploy", "tgi")
# Prices per token, by what OpenRouter and others call them.
_PRICES = {
    "prompt": "input_cost_per_token",
    "input": "input_cost_per_token",
    "completion": "output_cost_per_token",
    "output": "output_cost_per_token",
    "input_cache_read": "cache_read_input_token_cost",
    "input_cache_write": "cache_creation_input_token_cost",
    "internal_reasoning": "output_cost_per_reasoning_token",
    "audio": "input_cost_per_audio_token",
    "image": "input_cost_per_image",
    "request": "input_cost_per_request",
    "web_search": "cost_per_web_search",
}
# Together has prices per million tokens beside one per hour.
_PER_MILLION = ("input", "output")
_PER_HOUR = "hourly"


def base_model(entry: dict[str, Any], model_id: str, notes: list[str], kept_out: list[str]) -> dict[str, Any]:
    """Return the model that an entry without secrets describes, in the shape of a bundle.

    An adapter has its model as the base; everything else is a base model. What is left out of it
    goes to `notes`, and parts of a wrong shape go to `kept_out`.
    """
    parent = entry.get("parent")
    adapted = isinstance(parent, str) and parent not in ("", model_id)
    value: dict[str, Any] = {
        "id": model_id,
        "base_model_id": parent if adapted else None,
        "name": first_name(*(entry.get(name) for name in _NAMES), model_id),
        "meta": _meta(entry, model_id, notes, kept_out),
    }
    if entry.get("active") is False:
        value["is_active"] = False
    if (created := _created(entry)) is not None:
        value["created_at"] = created
    return value


def _created(entry: dict[str, Any]) -> int | None:
    owner = entry.get("owned_by")
    if "max_model_len" in entry or (isinstance(owner, str) and owner.casefold() in _ANSWERING_NOW):
        return None
    return epoch_seconds(entry.get("created", entry.get("created_at")))


def _meta(entry: dict[str, Any], model_id: str, notes: list[str], kept_out: list[str]) -> dict[str, Any]:
    fields = without(entry, (*_READ_ELSEWHERE, *STATE))
    if fields.get("type") == "model":
        del fields["type"]
    if fields.get("root") == model_id:
        del fields["root"]
    _spread(fields)
    for name, others in _SAME.items():
        given = next((other for other in others if fields.get(other) is not None), None)
        if given is not None:
            held = fields.pop(given)
            fields[name] = held
    meta = catalogue_meta(without(fields, ("pricing", "capabilities")), kept_out)
    for group, held in (
        ("capabilities", _capabilities(entry, fields)),
        ("prices", _prices(fields.get("pricing"), notes)),
    ):
        if held:
            meta[group] = {**(meta[group] if isinstance(meta.get(group), dict) else {}), **held}
    return meta


def _spread(fields: dict[str, Any]) -> None:
    """Put what stands in groups, other than those of `meta`, beside the other fields."""
    architecture = fields.get("architecture")
    if isinstance(architecture, dict):
        rest = {name: held for name, held in architecture.items() if held is not None}
        for name in ("input_modalities", "output_modalities"):
            fields.setdefault(name, rest.pop(name, None))
        _modalities(fields, rest.get("modality"))
        fields["architecture"] = rest or None
    top = fields.get("top_provider")
    if isinstance(top, dict):
        fields.setdefault("max_output_tokens", top.get("max_completion_tokens"))
        fields["top_provider"] = {name: held for name, held in top.items() if held is not None} or None
    limits = fields.get("limits")
    if isinstance(limits, dict) and all(name.startswith("max_") for name in limits):
        del fields["limits"]
        for name, held in limits.items():
            fields.setdefault(name, held)


def _modalities(fields: dict[str, Any], written: Any) -> None:
    """Read `text+image->text`, as OpenRouter wrote them before it had lists."""
    if not isinstance(written, str) or written.count("->") != 1:
        return
    for name, side in zip(("input_modalities", "output_modalities"), written.split("->"), strict=True):
        if fields.get(name) is None:
            fields[name] = [kind for kind in side.split("+") if kind]


def _capabilities(entry: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    parameters = entry.get("supported_parameters")
    listed = parameters if isinstance(parameters, list) else []
    known = {ability_name(name): True for name in listed if name in ("tools", "reasoning", "structured_outputs")}
    return {**senses(fields.get("supported_modalities")), **known, **abilities(entry.get("capabilities"))}


def _prices(pricing: Any, notes: list[str]) -> dict[str, Any]:
    """Return prices in US dollars per token where their unit is known, else as they are given."""
    if not isinstance(pricing, dict):
        return {} if pricing is None else {"pricing": pricing}
    per_million = _PER_HOUR in pricing
    prices: dict[str, Any] = {}
    for name, given in pricing.items():
        if given is None:
            continue
        price = number(given)
        if price is not None and price < 0:
            # OpenRouter has -1 where the price is that of the model that is chosen.
            notes.append(f"pricing.{name[:100]}: left out; a negative number is no price")
        elif per_million and name in _PER_MILLION:
            prices[_PRICES[name]] = per_token(given)
        elif price is not None and name in _PRICES and (isinstance(given, str) or name not in _PER_MILLION):
            prices[_PRICES[name]] = price
        else:
            prices[name] = given if price is None else price
    return prices
