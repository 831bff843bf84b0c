"""The formats that can be imported: which one a file has, by its content alone, and who reads it."""

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


class Format(StrEnum):
    """What a file can be, by the name that the command line has for it."""

    MODELDECK = "modeldeck"
    OPENWEBUI = "openwebui"
    OPENWEBUI_DB = "openwebui-db"
    LITELLM = "litellm"
    LITELLM_PRICES = "litellm-prices"


@dataclass(frozen=True, slots=True)
class Recognised:
    """The format of a file, and what of it was seen there."""

    format: Format
    reason: str


Rule = Callable[[FileHead], str | None]

_SQLITE = b"SQLite format 3\0"
_MODEL_LIST = re.compile(rf"^(?:[ \t]*\{{[ \t]*)?([\"']?){MODEL_LIST}\1[ \t]*:(?=\s|\Z)", re.MULTILINE)
# What a model of an export has, and one of a bundle can't have.
OF_AN_EXPORT = ("version_id", "access_control", "background_image_data", "modelfile")
_OF_A_MODEL = ("name", "meta", "params", "base_model_id")
_OF_A_SPEC = ("litellm_provider", "mode", "max_tokens", "input_cost_per_token", "output_cost_per_token")


def recognise(source: Source) -> Recognised | None:
    """Return the format of a file, or None when it looks like none of them; never raises on what a file holds."""
    seen = read_file_head(source)
    for found, rule in _RULES:
        if reason := rule(seen):
            return Recognised(found, reason)
    return None


def reader_of(wanted: Format) -> Reader:
    """Return the reader of a format; a database has none, since it is opened by its path."""
    if wanted is Format.OPENWEBUI_DB:
        raise ConfigurationError(
            f"{wanted} is a database: it can't be read as a stream, only opened by its path or URL"
        )
    return _READERS[wanted]


def _database(seen: FileHead) -> str | None:
    return "an SQLite database, as Open WebUI keeps its own" if seen.head.startswith(_SQLITE) else None


def _lines(seen: FileHead) -> str | None:
    kind = seen.members.get("kind")
    return f"JSON whose first line is of the kind {kind}: a bundle" if kind in PARTS.values() else None


def _people(seen: FileHead) -> str | None:
    return _bundle(seen) if "users" in seen.members or "groups" in seen.members else None


def _bundle(seen: FileHead) -> str | None:
    parts = [name for name in PARTS if isinstance(seen.members.get(name), list)]
    return f"a JSON object of {', '.join(parts)}: a bundle" if parts and len(parts) == len(seen.members) else None


def _export(seen: FileHead) -> str | None:
    if seen.text.split() in (["[]"], ["[", "]"]):
        return "an empty JSON list: an Open WebUI export of no models"
    listed = seen.members.get("models")
    models = listed if isinstance(listed, list) else seen.elements or [seen.members]
    marks = sorted({mark for model in models for mark in _marks(model)})
    if not marks and set(seen.members) != {"models"}:
        marks = sorted({name for model in models if _is_model(model) for name in model if name in _OF_A_MODEL})
    return f"JSON models with {', '.join(marks)}: an Open WebUI export" if marks else None


def _marks(model: Any) -> list[str]:
    if not isinstance(model, dict):
        return []
    if isinstance(model.get("modelfile"), dict):
        return ["modelfile"]
    if "id" not in model:
        return ["tagName", "content"] if {"tagName", "content"} <= set(model) else []
    marks = [name for name in OF_AN_EXPORT if name in model]
    marks += ["info"] if isinstance(model.get("info"), dict) else []
    grants = model.get("access_grants")
    of_resources = isinstance(grants, list) and any(isinstance(g, dict) and "resource_type" in g for g in grants)
    return [*marks, "access_grants of resources"] if of_resources else marks


def _is_model(model: Any) -> bool:
    return isinstance(model, dict) and {"id", "name"} <= set(model) and ("meta" in model or "params" in model)


def _configuration(seen: FileHead) -> str | None:
    as_json = isinstance(seen.members.get(MODEL_LIST), list)
    as_yaml = not seen.elements and _MODEL_LIST.search(seen.text)
    return f"YAML with a {MODEL_LIST}: a configuration of LiteLLM's proxy" if as_json or as_yaml else None


def _price_map(seen: FileHead) -> str | None:
    specs = [spec for name, spec in seen.members.items() if name != SAMPLE and isinstance(spec, dict)]
    priced = [spec for spec in specs if len(set(_OF_A_SPEC) & set(spec)) > 1]
    if not priced or 2 * len(priced) < len(specs):
        return None
    names = [name for name in _OF_A_SPEC if any(name in spec for spec in priced)]
    return f"a JSON object whose values have {', '.join(names)}: LiteLLM's price map"


# Where two fit, the stricter one comes first.
_RULES: tuple[tuple[Format, Rule], ...] = (
    (Format.OPENWEBUI_DB, _database),
    (Format.MODELDECK, _lines),
    (Format.MODELDECK, _people),
    (Format.OPENWEBUI, _export),
    (Format.MODELDECK, _bundle),
    (Format.LITELLM_PRICES, _price_map),
    (Format.LITELLM, _configuration),
)

_READERS: dict[Format, Reader] = {
    Format.MODELDECK: read_bundle,
    Format.OPENWEBUI: read_openwebui,
    Format.LITELLM: read_litellm,
    Format.LITELLM_PRICES: read_litellm_prices,
}
