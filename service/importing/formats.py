"""The formats that can be imported: how a file is recognised by its content alone, and its reader."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from service.errors import ConfigurationError
from service.importing.file_head import FileHead, read_file_head
from service.importing.readers.bundle import PARTS, read_bundle
from service.importing.readers.litellm import MODELS as MODEL_LIST
from service.importing.readers.litellm import read_litellm
from service.importing.readers.litellm_prices import SAMPLE, read_litellm_prices
from service.importing.readers.openwebui import read_openwebui
from service.importing.source import Reader, Source


class SourceFormat(StrEnum):
    """A format, by its name on the command line."""

    MODELDECK = "modeldeck"
    OPENWEBUI = "openwebui"
    OPENWEBUI_DB = "openwebui-db"
    LITELLM = "litellm"
    LITELLM_PRICES = "litellm-prices"


@dataclass(frozen=True, slots=True)
class Recognised:
    """The format of a file, and the reason why it is taken for that."""

    format: SourceFormat
    reason: str


Rule = Callable[[FileHead], str | None]

_SQLITE = b"SQLite format 3\0"
_MODEL_LIST = re.compile(rf"^(?:[ \t]*\{{[ \t]*)?([\"']?){MODEL_LIST}\1[ \t]*:(?=\s|\Z)", re.MULTILINE)
# Fields that a model of an Open WebUI export can have, and one of a bundle can't.
EXPORT_FIELDS = ("version_id", "access_control", "background_image_data", "modelfile")
_MODEL_FIELDS = ("name", "meta", "params", "base_model_id")
_PRICE_FIELDS = ("litellm_provider", "mode", "max_tokens", "input_cost_per_token", "output_cost_per_token")


def recognise(source: Source) -> Recognised | None:
    """Return the format of a file, or None when it looks like none of them; never raises because of its content."""
    head = read_file_head(source)
    for found, rule in _RULES:
        if reason := rule(head):
            return Recognised(found, reason)
    return None


def reader_of(wanted: SourceFormat) -> Reader:
    """Return the reader of a format; raise ConfigurationError for a database, which is opened by its path or URL."""
    if wanted is SourceFormat.OPENWEBUI_DB:
        raise ConfigurationError(
            f"{wanted} is a database: it can't be read as a stream, only opened by its path or URL"
        )
    return _READERS[wanted]


def _database(head: FileHead) -> str | None:
    return "an SQLite database, as Open WebUI has it" if head.content.startswith(_SQLITE) else None


def _json_lines(head: FileHead) -> str | None:
    kind = head.members.get("kind")
    return f"JSON whose first line is of the kind {kind}: a bundle" if kind in PARTS.values() else None


def _bundle_of_principals(head: FileHead) -> str | None:
    return _bundle(head) if "users" in head.members or "groups" in head.members else None


def _bundle(head: FileHead) -> str | None:
    parts = [name for name in PARTS if isinstance(head.members.get(name), list)]
    return f"a JSON object of {', '.join(parts)}: a bundle" if parts and len(parts) == len(head.members) else None


def _export(head: FileHead) -> str | None:
    if head.text.split() in (["[]"], ["[", "]"]):
        return "an empty JSON list: an Open WebUI export of no models"
    listed = head.members.get("models")
    models = listed if isinstance(listed, list) else head.elements or [head.members]
    fields = sorted({field for model in models for field in _export_fields(model)})
    if not fields and set(head.members) != {"models"}:
        fields = sorted({name for model in models if _is_model(model) for name in model if name in _MODEL_FIELDS})
    return f"JSON models with {', '.join(fields)}: an Open WebUI export" if fields else None


def _export_fields(model: Any) -> list[str]:
    if not isinstance(model, dict):
        return []
    if isinstance(model.get("modelfile"), dict):
        return ["modelfile"]
    if "id" not in model:
        return ["tagName", "content"] if {"tagName", "content"} <= set(model) else []
    fields = [name for name in EXPORT_FIELDS if name in model]
    fields += ["info"] if isinstance(model.get("info"), dict) else []
    grants = model.get("access_grants")
    of_resources = isinstance(grants, list) and any(isinstance(g, dict) and "resource_type" in g for g in grants)
    return [*fields, "access_grants of resources"] if of_resources else fields


def _is_model(model: Any) -> bool:
    return isinstance(model, dict) and {"id", "name"} <= set(model) and ("meta" in model or "params" in model)


def _configuration(head: FileHead) -> str | None:
    as_json = isinstance(head.members.get(MODEL_LIST), list)
    as_yaml = not head.elements and _MODEL_LIST.search(head.text)
    return f"YAML with a {MODEL_LIST}: a configuration of LiteLLM's proxy" if as_json or as_yaml else None


def _price_map(head: FileHead) -> str | None:
    specs = [spec for name, spec in head.members.items() if name != SAMPLE and isinstance(spec, dict)]
    priced = [spec for spec in specs if len(set(_PRICE_FIELDS) & set(spec)) > 1]
    if not priced or 2 * len(priced) < len(specs):
        return None
    names = [name for name in _PRICE_FIELDS if any(name in spec for spec in priced)]
    return f"a JSON object whose values have {', '.join(names)}: LiteLLM's price map"


# Where two rules fit, the stricter one comes first.
_RULES: tuple[tuple[SourceFormat, Rule], ...] = (
    (SourceFormat.OPENWEBUI_DB, _database),
    (SourceFormat.MODELDECK, _json_lines),
    (SourceFormat.MODELDECK, _bundle_of_principals),
    (SourceFormat.OPENWEBUI, _export),
    (SourceFormat.MODELDECK, _bundle),
    (SourceFormat.LITELLM_PRICES, _price_map),
    (SourceFormat.LITELLM, _configuration),
)

_READERS: dict[SourceFormat, Reader] = {
    SourceFormat.MODELDECK: read_bundle,
    SourceFormat.OPENWEBUI: read_openwebui,
    SourceFormat.LITELLM: read_litellm,
    SourceFormat.LITELLM_PRICES: read_litellm_prices,
}
