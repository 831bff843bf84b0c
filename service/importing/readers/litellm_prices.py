"""Reader of the format `litellm-prices`: LiteLLM's map of what models cost and can do, as base models."""

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from service.importing.file_head import NO_FIT, FileHead, Fit, share_of
from service.importing.json_scanner import JsonScanner
from service.importing.readers.litellm_meta import describes_model, meta_of, typed_value
from service.importing.readers.redact import safe_name, without_secrets
from service.importing.readers.secret_texts import looks_secret
from service.importing.records import MAX_RECORD_VALUES, has_more_values
from service.importing.source import Item, Source, SourceError

# It explains the fields and is no model.
SAMPLE = "sample_spec"
_FIELDS = ("litellm_provider", "mode", "max_tokens", "input_cost_per_token", "output_cost_per_token")
_FIELD = re.compile(r"litellm_provider|mode|max_(?:\w{1,20}_)?tokens|supports_\w{1,60}|\w{1,60}_cost_per_\w{1,60}")
_PROVIDER_OR_PRICE = re.compile(r"litellm_provider|(?:input|output)_cost_per_\w{1,60}")


def fits_litellm_prices(head: FileHead) -> Fit:
    """Return how well a file fits: an object whose values mostly have a provider or a price, and another such field.

    Presets of prompts have a mode and a limit too.
    """
    specs = [spec for name, spec in head.members.items() if name != SAMPLE and isinstance(spec, dict)]
    share = share_of(specs, _is_priced)
    seen = ", ".join(name for name in _FIELDS if any(name in spec for spec in specs))
    if share:
        return Fit(share, f"a JSON object whose values have {seen or 'prices'}: LiteLLM's price map")
    if any(sum(name in spec for name in _FIELDS) > 1 for spec in specs):
        return Fit(0.2, f"a JSON object whose values have {seen}, but neither a litellm_provider nor prices")
    return NO_FIT


def _is_priced(spec: dict[str, Any]) -> bool:
    known = [name for name in spec if _FIELD.fullmatch(name)]
    return len(known) > 1 and any(map(_PROVIDER_OR_PRICE.fullmatch, known))


def read_litellm_prices(source: Source) -> Iterator[Item]:
    """Yield every model of a price map in the order of the file, with its position (`entry 4`).

    Of two equal names the last one counts, as in LiteLLM. The first, and a part that describes no model, become an
    Item that is only a note. Raises SourceError, before the first Item, when the file can't be read to its end or none
    of its parts describes a model.
    """
    # Only digests are remembered: the first pass says which entry of a name is the last.
    last_at: dict[bytes, int] = {}
    models = 0
    for number, name, spec in _entries(source):
        last_at[_digest(name)] = number
        models += _is_model(name, spec)
    if last_at and not models:
        raise SourceError("no part of the file describes a model")
    for number, name, spec in _entries(source):
        position = f"entry {number}"
        if (last := last_at[_digest(name)]) != number:
            yield _note(position, name, f"left out, since the name is given again in entry {last}, which counts")
        elif not isinstance(spec, dict):
            yield _note(position, name, "left out, since it is no JSON object and so describes no model")
        elif not _is_model(name, spec):
            yield _note(position, name, "left out, since it describes no model")
        else:
            yield _item(position, name, spec)


def _entries(source: Source) -> Iterator[tuple[int, str, Any]]:
    with source.text() as text:
        scanner = JsonScanner(text, source.bounds)
        if scanner.peek() != "{":
            raise scanner.error("a price map is a JSON object")
        for number, name in enumerate(scanner.members(), start=1):
            yield number, name, scanner.value()
        scanner.end("the price map")


def _is_model(name: str, spec: Any) -> bool:
    return name != SAMPLE and isinstance(spec, dict) and describes_model(spec)


def _digest(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _note(position: str, name: str, note: str) -> Item:
    return Item("note", position, {"id": safe_name(name)}, notes=(note,))


def _item(position: str, name: str, spec: dict[str, Any]) -> Item:
    if looks_secret(name, identifies=True):
        return Item("model", position, problem="the name is or may be a secret")
    if has_more_values(spec, MAX_RECORD_VALUES):
        return Item("model", position, {"id": name}, f"has more than {MAX_RECORD_VALUES:,} values")
    try:
        # The map that LiteLLM publishes has no secrets, but somebody may have added one to a copy.
        kept, notes = without_secrets(spec)
    except RecursionError:
        return Item("model", position, {"id": name}, "nested too deeply")
    value = {"id": name, "base_model_id": None, "name": name, "meta": _meta(kept)}
    return Item("model", position, value, notes=notes)


def _meta(spec: dict[str, Any]) -> dict[str, Any]:
    description = _description(spec.get("litellm_provider"), spec.get("mode"))
    return {
        **({"description": description} if description else {}),
        **meta_of({name: typed_value(name, value) for name, value in spec.items()}),
    }


def _description(provider: Any, mode: Any) -> str | None:
    purpose = mode.replace("_", " ") if isinstance(mode, str) and mode else None
    if isinstance(provider, str) and provider:
        return f"Offered by {provider} for {purpose}." if purpose else f"Offered by {provider}."
    return f"For {purpose}." if purpose else None
