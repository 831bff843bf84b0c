"""Reader of the model exports of all versions of Open WebUI: a list, an object that has a list, or one model."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from service.importing.file_head import NO_FIT, FileHead, Fit
from service.importing.json_scanner import JsonScanner
from service.importing.readers.bundle import UNKNOWN
from service.importing.readers.modelfile import parse_modelfile
from service.importing.readers.openwebui_kinds import (
    RUNTIME,
    export_evidence,
    has_only_known_fields,
    is_settings,
    is_stored_model,
    kind_of,
    plural,
)
from service.importing.readers.openwebui_models import SHARED, Notes, left_out, model_item
from service.importing.source import Item, Source

MODELS = "models"
# An export has its models in a list of this name, and an answer of `GET /api/models` in this one.
_LISTS = (MODELS, "data")
ALONE = "the only model"
_TAGS = ("tag_name", "tagName")
# When a bundle is imported with the format of an export by mistake, its users and groups must not be lost unnoticed.
_BUNDLE_PARTS = ("users", "groups")
_MODEL_FIELDS = ("name", "meta", "params", "base_model_id")
_IN_META = {
    "profile_image_url": "imageUrl",
    "description": "desc",
    "suggestion_prompts": "suggestionPrompts",
    "tags": "categories",
}


def fits_openwebui(head: FileHead) -> Fit:
    """Return how well a file fits: a list, or an object, of models that have what only Open WebUI's exports have."""
    if head.text.split() in (["[]"], ["[", "]"]):
        return Fit(1.0, "an empty JSON list: an Open WebUI export of no models")
    if any(name in head.members for name in (*_BUNDLE_PARTS, "kind")):
        return NO_FIT
    listed = next((name for name in _LISTS if head.listed(name)), None)
    records = head.listed(listed) if listed else head.elements or [head.members]
    models = [record for record in records if kind_of(record) == "model"]
    evidence = {field for model in models if _is_exported(model) for field in export_evidence(model)}
    if not evidence and listed != "data" and (head.is_list or set(head.members) != {MODELS}):
        # Models of early versions have nothing that those of a bundle lack, so an object of nothing else is a bundle.
        evidence = {name for model in models if is_stored_model(model) for name in model if name in _MODEL_FIELDS}
    if not evidence:
        return _near(models)
    # Beside models that are known as such: many of those that run there have no stored record, and others lack parts.
    others = [record for record in records if kind_of(record) is None and ("info" in evidence or _is_named(record))]
    share = (len(models) + len(others)) / len(records)
    reason = f"JSON models with {', '.join(sorted(evidence))}: an Open WebUI export"
    return Fit(share, reason if share == 1 else f"{share:.0%} of the first records are {reason}")


def _near(models: list[dict[str, Any]]) -> Fit:
    seen = [name for name in _MODEL_FIELDS if any(name in model for model in models)]
    if len(seen) < 2:
        return NO_FIT
    return Fit(0.2, f"JSON with {', '.join(seen)}, but without all that a model of an Open WebUI export has")


def _is_exported(model: dict[str, Any]) -> bool:
    """Return whether what tells an export from a bundle counts: other systems have a `version_id` too."""
    return "modelfile" in model or "id" not in model or "info" in model or has_only_known_fields(model)


def other_export(head: FileHead) -> str | None:
    """Return what a file is, in words for a message, if it is another export of Open WebUI than that of models.

    The lines of a bundle, each with its kind, are none, although their users look like those of an export.
    """
    if "kind" in head.members:
        return None
    if is_settings(head.members):
        return "this is an export of the configuration of Open WebUI"
    records = head.elements or next((head.listed(name) for name in ("items", *_LISTS) if head.listed(name)), [])
    kinds = {kind_of(record) for record in records or [head.members]}
    if len(kinds) != 1 or not isinstance(kind := kinds.pop(), str) or kind == "model":
        return None
    return f"this is an export of {plural(kind)}"


def read_openwebui(source: Source) -> Iterator[Item]:
    """Yield every model of an export in the order of the file, with its position (`[3]` or `models[3]`).

    Raises SourceError when the rest of the file can't be read.
    """
    notes = Notes(source.bounds.records)
    with source.text() as text:
        scanner = JsonScanner(text, source.bounds)
        if scanner.peek() == "[":
            listed = True
            yield from _elements(scanner, "", notes)
        elif scanner.peek() == "{":
            listed = yield from _members(scanner, notes)
        else:
            raise scanner.error(f"an export is a JSON list of models, an object with {MODELS}, or one model")
        scanner.end("the models")
    if not listed:
        with source.text() as text:
            yield _item(JsonScanner(text, source.bounds).value(), ALONE, notes)


def _elements(scanner: JsonScanner, where: str, notes: Notes) -> Iterator[Item]:
    for number, value in enumerate(scanner.elements()):
        yield _item(value, f"{where}[{number}]", notes)


def _members(scanner: JsonScanner, notes: Notes) -> Generator[Item, None, bool]:
    """Yield the models of an object that has a list of them; return whether it has one."""
    listed = False
    for name in scanner.members():
        if name in _LISTS:
            if listed:
                raise scanner.error(f"{name} is given twice")
            listed = True
            yield from _listed(scanner, name, notes)
            continue
        scanner.value()
        if name in _BUNDLE_PARTS:
            problem = "is not part of an export; it is read from a bundle (format modeldeck)"
            yield Item(UNKNOWN, name, problem=problem)
    return listed


def _listed(scanner: JsonScanner, name: str, notes: Notes) -> Iterator[Item]:
    if scanner.peek() == "[":
        yield from _elements(scanner, name, notes)
    else:
        scanner.value()
        yield Item(UNKNOWN, name, problem="must be a list")


def _is_named(record: Any) -> bool:
    return isinstance(record, dict) and "id" in record and "name" in record and bool(export_evidence(record))


def _item(value: Any, position: str, notes: Notes) -> Item:
    if not isinstance(value, dict):
        return Item("model", position, value)
    kind = kind_of(value)
    if kind not in ("model", None):
        return Item("model", position, {"id": value.get("id")}, f"is a {kind}, not a model")
    if "modelfile" in value or ("tagName" in value and "content" in value):
        return _from_modelfile(value, position, notes)
    if value.get("info") is not None:
        return _from_info(value, position, notes)
    if value.get("name") is None and any(name in value for name in RUNTIME):
        value = {**value, "name": value.get("id")}
    return model_item(value, position, notes)


def _from_info(value: dict[str, Any], position: str, notes: Notes) -> Item:
    info = value["info"]
    if not isinstance(info, dict):
        return Item("model", position, {"id": value.get("id")}, "info: must be an object")
    # The info of models that are made while the system runs has few fields.
    named = {name: value.get(name) for name in ("id", "name") if info.get(name) is None}
    item = model_item({**info, **named}, position, notes)
    outside = [name for name, held in value.items() if held is not None and name not in ("info", *SHARED)]
    return replace(item, notes=(*notes.new(map(left_out, outside)), *item.notes))


def _from_modelfile(value: dict[str, Any], position: str, notes: Notes) -> Item:
    modelfile = value.get("modelfile", value)
    if not isinstance(modelfile, dict):
        return Item("model", position, value, "modelfile: must be an object")
    tag = next((held[name] for held in (value, modelfile) for name in _TAGS if held.get(name) is not None), None)
    if not isinstance(tag, str):
        return Item("model", position, value, "tag_name: must be text")
    content = modelfile.get("content")
    if not isinstance(content, str):
        return Item("model", position, {"id": f"ollama-{tag}"}, "modelfile.content: must be text")
    parsed = parse_modelfile(content)
    moment = value.get("timestamp")
    record = {
        "id": f"ollama-{tag}",
        "user_id": value.get("user_id"),
        "base_model_id": parsed.base,
        "name": modelfile.get("title") or tag,
        "params": parsed.params,
        "meta": {name: modelfile[old] for name, old in _IN_META.items() if modelfile.get(old) is not None},
        "created_at": moment,
        "updated_at": moment,
    }
    supported = {"title", "content", "user_id", "timestamp", "modelfile", *_TAGS, *_IN_META.values()}
    left = dict.fromkeys(
        [*parsed.left_out, *(name for held in (value, modelfile) for name in held if name not in supported)]
    )
    item = model_item(record, position, notes)
    return replace(item, notes=(*notes.new(map(left_out, left)), *item.notes))
