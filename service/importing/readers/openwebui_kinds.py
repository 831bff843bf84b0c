"""What a record of Open WebUI is: a model in one of its shapes, or something else that the system exports."""

from typing import Any

# Fields that a model of an export can have, and one of a bundle can't.
EXPORT_FIELDS = ("version_id", "access_control", "background_image_data", "modelfile")
# Of these, every stored model of every version has at least one, and nothing else that is exported has any.
CONTENT = ("base_model_id", "params")
RUNTIME = ("object", "owned_by")
_FUNCTIONS = ("pipe", "filter", "action")
# In this order; each rule names fields that a record of the kind has.
_OTHER_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("tool", ("specs",)),
    ("prompt", ("command",)),
    ("chat", ("chat",)),
    ("knowledge base", ("data", "description")),
    ("knowledge base", ("files", "description")),
    ("knowledge base", ("file_ids",)),
    ("file", ("filename",)),
    ("rating", ("snapshot", "data")),
    ("user", ("email", "role")),
    ("group", ("permissions", "description")),
    ("note", ("title", "data")),
    ("chat", ("title", "messages")),
    ("skill", ("content", "description")),
    ("folder", ("is_expanded",)),
    ("tool", ("content", "name")),
)
_PLURALS = {"knowledge base": "knowledge bases"}
_SETTINGS = ("openai", "ollama", "auth", "features", "webui", "rag", "audio", "image_generation", "task", "evaluation")


def kind_of(record: Any) -> str | None:
    """Return `model`, the name of something else that Open WebUI exports, or None for what is not recognised."""
    if not isinstance(record, dict):
        return None
    if _is_model(record):
        return "model"
    if isinstance(info := record.get("info"), dict):
        return kind_of({name: value for name, value in info.items() if name != "info"})
    if "content" in record and record.get("type") in _FUNCTIONS:
        return "function"
    return next((kind for kind, fields in _OTHER_KINDS if all(name in record for name in fields)), None)


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
    fields += ["info"] if isinstance(record.get("info"), dict) else []
    grants = record.get("access_grants")
    of_resources = isinstance(grants, list) and any(isinstance(g, dict) and "resource_type" in g for g in grants)
    return [*fields, "access_grants of resources"] if of_resources else fields


def _is_model(record: dict[str, Any]) -> bool:
    if isinstance(record.get("modelfile"), dict) or _is_flat_modelfile(record):
        return True
    info = record.get("info")
    if isinstance(info, dict):
        # The info of models that are made while the system runs has few fields.
        return kind_of({name: value for name, value in info.items() if name != "info"}) in ("model", None)
    if "specs" in record or "command" in record or "content" in record or "chat" in record:
        return False
    return "id" in record and (any(name in record for name in CONTENT) or record.get("object") == "model")


def _is_flat_modelfile(record: dict[str, Any]) -> bool:
    return "content" in record and ("tagName" in record or "tag_name" in record)
