"""The fields of the form that changes a model: from an item to what is shown, and from what was typed to content."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.database.exact_bson import Record
from service.errors import InvalidInputError, ModeldeckError
from service.web.cards import tag_names
from service.web.forms import Form

# What each field of the form holds, as text.
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `rows` of text, or one line."""

    name: str
    label: str
    rows: int = 1
    hint: str = ""
    mono: bool = False


FIELDS = (
    Field("name", "Name"),
    Field("description", "Description", rows=3),
    Field("tags", "Tags", rows=4, hint="One on each line."),
    Field(
        "base_model_id", "Base model", hint="The id of the model that this one configures; empty for none.", mono=True
    ),
    Field("system", "System prompt", rows=12, hint="Only those who may change this model see it."),
)
_NAMES = tuple(field.name for field in FIELDS)
# The parts of the content, as errors name them.
_OF_PART = {
    ("meta", "tags"): "tags",
    ("meta", "description"): "description",
    ("meta",): "tags",
    ("params",): "system",
    ("name",): "name",
    ("base_model_id",): "base_model_id",
}


def shown_values(item: Mapping[str, Any]) -> Values:
    """Return what the form shows of an item; empty where a value is no text."""
    meta, params = item["meta"], item["params"]
    stored = {
        "name": item["name"],
        "description": meta.get("description"),
        "tags": "\n".join(tag_names(meta)),
        "base_model_id": item["base_model_id"],
        "system": params.get("system"),
    }
    return {name: _plain(value) if isinstance(value, str) else "" for name, value in stored.items()}


def typed_values(form: Form) -> Values:
    """Return what was typed; the fields of one line without space around it."""
    lines = {field.name: form.line(field.name) for field in FIELDS if field.rows == 1}
    return {**{name: form.text(name) for name in _NAMES}, **lines}


def _plain(text: str) -> str:
    # Browsers send every line break in one form.
    return text.replace("\r\n", "\n")


def changed_content(record: Record, typed: Values) -> dict[str, Any]:
    """Return the content that differs from a record; all that the form does not show stays exactly as it is."""
    shown = shown_values(record)
    changed = {name: value for name, value in typed.items() if value != shown[name]}
    content: dict[str, Any] = {name: changed[name] for name in ("name",) if name in changed}
    if "base_model_id" in changed:
        content["base_model_id"] = changed["base_model_id"] or None
    if meta := _changed_meta(record["meta"], changed):
        content["meta"] = {**record["meta"], **meta}
    if "system" in changed:
        params = {name: value for name, value in record["params"].items() if name != "system"}
        # An empty prompt is none.
        content["params"] = {**record["params"], "system": changed["system"]} if changed["system"] else params
    return content


def _changed_meta(meta: Mapping[str, Any], changed: Values) -> dict[str, Any]:
    new: dict[str, Any] = {name: changed[name] for name in ("description",) if name in changed}
    if "tags" in changed:
        stored = meta.get("tags")
        known = {tag["name"]: tag for tag in (stored if isinstance(stored, list) else ()) if isinstance(tag, dict)}
        names = dict.fromkeys(line.strip() for line in changed["tags"].split("\n"))
        new["tags"] = [known.get(name, {"name": name}) for name in names if name]
    return new


def labelled_problems(error: ModeldeckError) -> dict[str, str]:
    """Return an error by the name of the field that it is about; `form` for the whole."""
    if not isinstance(error, InvalidInputError):
        return {"form": error.detail}
    found: dict[str, str] = {}
    for one in error.errors:
        loc = tuple(part for part in one["loc"] if part != "body")
        name = _OF_PART.get(loc[:2], _OF_PART.get(loc[:1], "form"))
        found.setdefault(name, one["msg"])
    return found
