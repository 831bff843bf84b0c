"""Reader of the format `ollama`: what Ollama answers of its models: `/api/tags`, `/api/ps` and `/api/show`."""

import re
from collections.abc import Generator, Iterator
from typing import Any

from service.importing.file_head import NO_FIT, FileHead, Fit, share_of
from service.importing.json_scanner import JsonScanner
from service.importing.readers.bundle import UNKNOWN
from service.importing.readers.catalogue import Repeats, abilities, catalogue_meta, epoch_seconds, readable, without
from service.importing.readers.modelfile import parse_modelfile
from service.importing.readers.modelfiles import SHOWN_NAME
from service.importing.readers.openwebui_models import Notes, left_out
from service.importing.readers.redact import without_secrets
from service.importing.readers.secret_texts import looks_secret
from service.importing.source import Item, Source

MODELS = "models"
ALONE = "the only model"
# The list of the models that other services run has the same name, and then there is this one too.
_OTHER = "data"
_DETAILS, _MODELFILE = "details", "modelfile"
_SHOWN = (_MODELFILE, "model_info", "template", "parameters")
_MARKS = ("digest", _DETAILS, "modified_at", "size_vram", "remote_model")
_IN_DETAILS = ("family", "families", "format", "parameter_size", "quantization_level")
_FACTS = ("size", "digest", "remote_model", "remote_host")
_STATE = ("expires_at", "size_vram", "urls", "connection_type", "tags")
# What is shown of a model and is too long for a record, or of no use outside Ollama.
_LONG = ("license", "template", "messages", "tensors", "projector_info")
_READ = ("name", "model", "modified_at", "capabilities", "context_length", "system", *_SHOWN, _DETAILS, *_FACTS)
_CONTEXT = re.compile(r"[\w-]{1,60}\.context_length")
_INFO = {"general.architecture": "architecture", "general.parameter_count": "parameter_count"}


def fits_ollama(head: FileHead) -> Fit:
    """Return how well a file fits: a list of models with a digest or details and no id, or one model that is shown."""
    if _is_shown(head.members):
        return Fit(1.0, "JSON with details and model_info: a model that Ollama shows")
    if isinstance(head.members.get(_OTHER), list):
        return NO_FIT
    records = head.elements if head.is_list else head.listed(MODELS)
    share = share_of(records, _is_entry)
    if not share:
        named = not head.is_list and any(isinstance(record, dict) and "name" in record for record in records)
        return Fit(0.1, "JSON with models that have a name, but neither a digest nor details") if named else NO_FIT
    reason = "JSON models with a name and a digest or details: a list of Ollama's models"
    return Fit(share, reason if share == 1 else f"{share:.0%} of the first records are {reason}")


def read_ollama(source: Source) -> Iterator[Item]:
    """Yield every model of an answer in the order of the file, with its position (`models[3]`).

    An entry that is no model becomes an Item with a problem. Raises SourceError when the rest can't be read.
    """
    entries = _Entries()
    with source.text() as text:
        scanner = JsonScanner(text, source.bounds)
        if scanner.peek() == "[":
            listed = True
            for number, value in enumerate(scanner.elements()):
                yield entries.item(value, f"[{number}]")
        elif scanner.peek() == "{":
            listed = yield from _members(scanner, entries)
        else:
            raise scanner.error("an answer of Ollama is JSON")
        scanner.end("the models")
    if not listed:
        with source.text() as text:
            yield _shown(JsonScanner(text, source.bounds).value())


def _members(scanner: JsonScanner, entries: "_Entries") -> Generator[Item, None, bool]:
    listed = False
    for name in scanner.members():
        if name != MODELS:
            scanner.value()
            continue
        if listed:
            raise scanner.error(f"{MODELS} is given twice")
        listed = True
        if scanner.peek() == "[":
            for number, value in enumerate(scanner.elements()):
                yield entries.item(value, f"{MODELS}[{number}]")
        else:
            scanner.value()
            yield Item(UNKNOWN, MODELS, problem="must be a list")
    return listed


class _Entries:
    """Turns the entries of a list into items; what is left out of all of them is noted once."""

    def __init__(self) -> None:
        self._notes = Notes()
        self._repeats = Repeats()

    def item(self, value: Any, position: str) -> Item:
        """Return the model that an entry describes, or an item that says why there is none."""
        read = readable(value)
        if isinstance(read, str):
            return Item("model", position, problem=read)
        entry, notes = read
        model_id = entry.get("name") or entry.get("model")
        if not isinstance(model_id, str):
            return Item("model", position, problem="name: must be text", notes=notes)
        if not _is_entry(value):
            problem = f"is no model of Ollama: it has none of {', '.join(_MARKS)}"
            return Item("model", position, {"id": model_id}, problem, notes)
        if note := self._repeats.note(entry, position):
            return note
        kept_out: list[str] = []
        model = _base_model(entry, model_id, kept_out)
        left = self._notes.new(left_out(name) for name in _STATE if name in entry)
        return Item("model", position, model, notes=(*notes, *left), kept_out=tuple(kept_out))


def _shown(value: Any) -> Item:
    read = readable(without(value, (*_LONG, _MODELFILE)) if isinstance(value, dict) else value)
    if isinstance(read, str):
        return Item("model", ALONE, problem=read)
    if not _is_shown(value):
        return Item(UNKNOWN, MODELS, problem="must be a list of models")
    entry, notes = read
    text = value[_MODELFILE] if isinstance(value.get(_MODELFILE), str) else ""
    # The answer to a request that names a model does not name it.
    found = SHOWN_NAME.search(text)
    if found is None or looks_secret(found[1], identifies=True):
        return Item(
            "model", ALONE, problem="the answer does not say which model it shows, so it has no id", notes=notes
        )
    kept_out: list[str] = []
    model = _base_model(entry, found[1], kept_out)
    params, more = without_secrets(parse_modelfile(text).params)
    if isinstance(entry.get("system"), str) and entry["system"]:
        params["system"] = entry["system"]
    left = tuple(left_out(name) for name in _LONG if value.get(name))
    return Item("model", ALONE, {**model, "params": params}, notes=(*notes, *more, *left), kept_out=tuple(kept_out))


def _base_model(entry: dict[str, Any], model_id: str, kept_out: list[str]) -> dict[str, Any]:
    details = entry[_DETAILS] if isinstance(entry.get(_DETAILS), dict) else {}
    fields = {
        "provider": "ollama",
        **{name: details[name] for name in _IN_DETAILS if details.get(name) not in (None, "", [])},
        **{name: entry[name] for name in _FACTS if entry.get(name) not in (None, "")},
        "max_context_length": entry.get("context_length"),
        **_facts(entry.get("model_info")),
        **without(entry, (*_READ, *_STATE, *_LONG)),
    }
    meta = catalogue_meta(fields, kept_out)
    if able := abilities(entry.get("capabilities")):
        meta["capabilities"] = able
    model: dict[str, Any] = {
        "id": model_id,
        "base_model_id": _parent(details, model_id),
        "name": model_id,
        "meta": meta,
    }
    if (modified := epoch_seconds(entry.get("modified_at"))) is not None:
        model["updated_at"] = modified
    return model


def _parent(details: dict[str, Any], model_id: str) -> str | None:
    parent = details.get("parent_model")
    # A model made of a file has the path of its blob here.
    if not isinstance(parent, str) or parent in ("", model_id) or parent.startswith("/") or "sha256" in parent:
        return None
    return parent


def _facts(info: Any) -> dict[str, Any]:
    if not isinstance(info, dict):
        return {}
    facts = {place: info[name] for name, place in _INFO.items() if name in info}
    context = next((name for name in info if _CONTEXT.fullmatch(name)), None)
    return facts if context is None else {**facts, "max_context_length": info[context]}


def _is_entry(record: Any) -> bool:
    if not isinstance(record, dict) or "id" in record or "modelfile" in record:
        return False
    named = record.get("name") or record.get("model")
    return isinstance(named, str) and any(name in record for name in _MARKS)


def _is_shown(members: Any) -> bool:
    return (
        isinstance(members, dict)
        and isinstance(members.get(_DETAILS), dict)
        and "name" not in members
        and any(name in members for name in _SHOWN)
    )
