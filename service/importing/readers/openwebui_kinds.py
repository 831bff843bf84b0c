"""What a record of Open WebUI is: a model in one of its shapes, or something else that the system exports."""

from collections.abc import Callable
from typing import Any

from documents.freeform import is_list, is_object, is_text

# Fields that a model of an export can have, and one of a bundle can't.
EXPORT_FIELDS = ("version_id", "access_control", "background_image_data", "modelfile")
# Of these, every stored model of every version has at least one, and nothing else that is exported has any.
CONTENT = ("base_model_id", "params")
RUNTIME = ("object", "owned_by")
_OWNER_AND_TIMES = ("user_id", "created_at", "updated_at")
_KNOWN = {
    *("id", "name", "meta", "is_active", "access_grants", "write_access", "user", "info", "object", "owned_by"),
    *("created", "tags", *CONTENT, *EXPORT_FIELDS, *_OWNER_AND_TIMES),
}
_FUNCTIONS = ("pipe", "filter", "action")
_NEVER_IN_MODEL = ("specs", "command", "content", "chat", "messages")
_OF_FUNCTIONS = ("class Pipe", "class Filter", "class Action")


def _is_anything(_: Any) -> bool:
    return True


def _has_function(value: Any) -> bool:
    return isinstance(value, str) and any(word in value for word in _OF_FUNCTIONS)


# The first rule counts all of whose fields a record has, with such values. So a kind comes before those that have fewer
# fields: a channel has all that a knowledge base has, and a type.
_OTHER_KINDS: tuple[tuple[str, dict[str, Callable[[Any], bool]]], ...] = (
    ("tool", {"specs": is_list}),
    ("prompt", {"command": is_text, "content": is_text}),
    ("chat", {"chat": is_object, "title": _is_anything}),
    ("chat", {"chat": is_object, "user_id": _is_anything}),
    ("chat", {"title": _is_anything, "messages": is_list}),
    ("function", {"type": lambda value: value in _FUNCTIONS, "content": is_text}),
    ("function", {"content": _has_function, "name": is_text}),
    ("rating", {"type": lambda value: value == "rating", "data": is_object}),
    ("group", {"permissions": _is_anything, "description": _is_anything, "name": is_text}),
    ("channel", {"type": _is_anything, "description": _is_anything, "data": _is_anything, "user_id": _is_anything}),
    ("folder", {"is_expanded": _is_anything}),
    ("file", {"filename": is_text, "user_id": _is_anything}),
    ("user", {"email": is_text, "role": is_text}),
    ("note", {"title": is_text, "data": is_object, "user_id": _is_anything}),
    ("skill", {"content": is_text, "description": _is_anything, "user_id": _is_anything}),
    ("tool", {"content": is_text, "name": is_text, "meta": is_object}),
    ("tool", {"content": is_text, "name": is_text, "user_id": _is_anything}),
    ("knowledge base", {"file_ids": is_list}),
    ("knowledge base", {"name": is_text, "description": _is_anything, "user_id": _is_anything}),
    ("memory", {"content": is_text, "user_id": _is_anything}),
)
_PLURALS = {"memory": "memories"}
_SETTINGS = ("openai", "ollama", "auth", "features", "webui", "rag", "audio", "image_generation", "task", "evaluation")


def kind_of(record: Any) -> str | None:
    """Return `model`, the name of something else that Open WebUI exports, or None for what is not recognised."""
    if not isinstance(record, dict):
        return None
    if _is_model(record):
        return "model"
    if isinstance(info := record.get("info"), dict):
        return kind_of({name: value for name, value in info.items() if name != "info"})
    return next((kind for kind, fields in _OTHER_KINDS if _has_all(record, fields)), None)


def _has_all(record: dict[str, Any], fields: dict[str, Callable[[Any], bool]]) -> bool:
    return all(name in record and fits(record[name]) for name, fits in fields.items())


def plural(kind: str) -> str:
    """Return the name of several records of a kind."""
    return _PLURALS.get(kind, f"{kind}s")


def is_settings(members: dict[str, Any]) -> bool:
    """Return whether the members of an object are the exported settings of an instance."""
    parts = sum(isinstance(members.get(name), dict) for name in _SETTINGS)
    return isinstance(members.get("ui"), dict) and parts > 0


def export_evidence(record: Any) -> list[str]:
    """Return what a model has that tells an export from a bundle, in words for a message."""
    if not isinstance(record, dict):
        return []
    if isinstance(record.get("modelfile"), dict):
        return ["modelfile"]
    if "id" not in record:
        return ["tagName", "content"] if _is_flat_modelfile(record) else []
    fields = [name for name in EXPORT_FIELDS if name in record]
    fields += ["info"] if _has_info(record) else []
    grants = record.get("access_grants")
    of_resources = isinstance(grants, list) and any(isinstance(g, dict) and "resource_type" in g for g in grants)
    return [*fields, "access_grants of resources"] if of_resources else fields


def is_stored_model(record: dict[str, Any]) -> bool:
    """Return whether a record of the kind `model` is certainly one as Open WebUI has stored it in some version.

    Each version stores a name, a base, params and meta, with an owner or times. A run of an experiment, a route or a
    workflow has some of these too, but others besides, which no version has.
    """
    settings = [record[name] for name in ("params", "meta") if name in record]
    if len(settings) < 2 or not all(isinstance(value, dict | None) for value in settings):
        return False
    if not all(name in record for name in ("id", "name", "base_model_id")):
        return False
    return any(name in record for name in _OWNER_AND_TIMES) and (
        all(name in record for name in _OWNER_AND_TIMES) or has_only_known_fields(record)
    )


def has_only_known_fields(record: dict[str, Any]) -> bool:
    """Return whether a record has no field that no version of Open WebUI has in a model."""
    return all(name in _KNOWN for name in record)


def _has_info(record: dict[str, Any]) -> bool:
    info = record.get("info")
    if not isinstance(info, dict):
        return False
    return any(name in record for name in RUNTIME) or any(name in info for name in (*CONTENT, "meta"))


def _is_model(record: dict[str, Any]) -> bool:
    if isinstance(record.get("modelfile"), dict) or _is_flat_modelfile(record):
        return True
    info = record.get("info")
    if isinstance(info, dict):
        # The info of models that are made while the system runs has few fields.
        return kind_of({name: value for name, value in info.items() if name != "info"}) in ("model", None)
    if any(name in record for name in _NEVER_IN_MODEL):
        return False
    return "id" in record and (any(name in record for name in CONTENT) or record.get("object") == "model")


def _is_flat_modelfile(record: dict[str, Any]) -> bool:
    return "content" in record and ("tagName" in record or "tag_name" in record)
