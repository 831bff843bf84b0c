"""Reader of the format `litellm-prices`: LiteLLM's map of what models cost and can do, as base models."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from service.importing.json_scanner import JsonScanner
from service.importing.readers.litellm_meta import meta_of
from service.importing.readers.redact import without_secrets
from service.importing.records import MAX_RECORD_VALUES, has_more_values
from service.importing.source import Item, Source

# It explains the fields and is no model.
SAMPLE = "sample_spec"


def read_litellm_prices(source: Source) -> Iterator[Item]:
    """Yield every model of a price map in the order of the file, with its position (`entry 4`).

    A value that describes no model, and a name that is given twice, become an Item with a problem. Raises SourceError
    when the rest of the file can't be read.
    """
    first_at: dict[bytes, str] = {}
    with source.text() as text:
        scanner = JsonScanner(text, source.bounds)
        if scanner.peek() != "{":
            raise scanner.error("a price map is a JSON object")
        for number, name in enumerate(scanner.members(), start=1):
            spec = scanner.value()
            if name != SAMPLE:
                yield _item(f"entry {number}", name, spec, first_at)
        scanner.end("the price map")


def _item(position: str, name: str, spec: Any, first_at: dict[bytes, str]) -> Item:
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first = first_at.setdefault(digest, position)
    if first != position:
        return Item("model", position, {"id": name}, f"the name is given twice; only {first} is imported")
    if not isinstance(spec, dict):
        return Item("model", position, {"id": name}, "must be a JSON object")
    if has_more_values(spec, MAX_RECORD_VALUES):
        return Item("model", position, {"id": name}, f"has more than {MAX_RECORD_VALUES:,} values")
    try:
        # The map that LiteLLM publishes has no secrets, but somebody may have added one to a copy.
        kept, notes = without_secrets(spec)
    except RecursionError:
        return Item("model", position, {"id": name}, "nested too deeply")
    return Item("model", position, {"id": name, "base_model_id": None, "name": name, "meta": _meta(kept)}, notes=notes)


def _meta(spec: dict[str, Any]) -> dict[str, Any]:
    description = _description(spec.get("litellm_provider"), spec.get("mode"))
    return {**({"description": description} if description else {}), **meta_of(spec)}


def _description(provider: Any, mode: Any) -> str | None:
    purpose = mode.replace("_", " ") if isinstance(mode, str) and mode else None
    if isinstance(provider, str) and provider:
        return f"Offered by {provider} for {purpose}." if purpose else f"Offered by {provider}."
    return f"For {purpose}." if purpose else None
