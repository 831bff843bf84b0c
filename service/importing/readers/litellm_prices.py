"""Reader of the format `litellm-prices`: LiteLLM's map of what models cost and can do, as base models."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from service.importing.readers.litellm_meta import shaped_meta
from service.importing.redact import without_secrets
from service.importing.source import Item, JsonScanner, Source

# Explains the fields; it is no model.
SAMPLE = "sample_spec"


def read_litellm_prices(source: Source) -> Iterator[Item]:
    """Yield every model of a price map in the order of the file, with its position (`entry 4`).

    A value that describes no model, and a key that stands twice, come as an Item with a problem. Raises
    SourceError when the rest of the file can't be made out.
    """
    with source.text() as text:
        scanner = JsonScanner(text, source.longest_value)
        if scanner.peek() != "{":
            raise scanner.error("a price map is a JSON object")
        scanner.take("{")
        if scanner.peek() == "}":
            scanner.take("}")
        else:
            yield from _entries(scanner)
        if scanner.peek():
            raise scanner.error("more text after the price map")


def _entries(scanner: JsonScanner) -> Iterator[Item]:
    first_at: dict[bytes, str] = {}
    number = 0
    while True:
        number += 1
        key = scanner.value()
        scanner.take(":")
        if not isinstance(key, str):
            raise scanner.error("expected the name of a model")
        spec = scanner.value()
        if key != SAMPLE:
            yield _item(f"entry {number}", key, spec, first_at)
        scanner.take(",}")
        if scanner.took == "}":
            return


def _item(position: str, key: str, spec: Any, first_at: dict[bytes, str]) -> Item:
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first = first_at.setdefault(digest, position)
    if first != position:
        return Item("model", position, {"id": key}, f"the key stands twice; {first} counts")
    if not isinstance(spec, dict):
        return Item("model", position, {"id": key}, "must be a JSON object")
    # The map that LiteLLM publishes has no secrets; one that was added to may.
    said, left_out = without_secrets(spec)
    notes = tuple(f"{path}: left out, since it is or may be a secret" for path in left_out)
    return Item("model", position, {"id": key, "base_model_id": None, "name": key, "meta": _meta(said)}, notes=notes)


def _meta(spec: dict[str, Any]) -> dict[str, Any]:
    sentence = _sentence(spec.get("litellm_provider"), spec.get("mode"))
    return {**({"description": sentence} if sentence else {}), **shaped_meta(spec)}


def _sentence(provider: Any, mode: Any) -> str | None:
    purpose = mode.replace("_", " ") if isinstance(mode, str) and mode else None
    if isinstance(provider, str) and provider:
        return f"Offered by {provider} for {purpose}." if purpose else f"Offered by {provider}."
    return f"For {purpose}." if purpose else None
