"""Reader of the format `librechat`: the models that a `librechat.yaml` composes, and those of its endpoints."""

import re
from collections.abc import Iterator
from typing import Any

from documents.image import IMAGE, image_problem
from service.importing.file_head import NO_FIT, FileHead, Fit
from service.importing.parts import Part
from service.importing.readers.bundle import UNKNOWN
from service.importing.readers.catalogue import catalogue_meta, first_name, readable, without
from service.importing.readers.librechat_endpoints import OfferedModel, offered_models
from service.importing.readers.redact import safe_name
from service.importing.source import Item, Source, SourceError
from service.importing.whole_file import read_parts

SPECS, ENDPOINTS = "modelSpecs", "endpoints"
LIST = f"{SPECS}.list"
_IN_TEXT = re.compile(rf"^{SPECS}:[ \t]*\r?$", re.MULTILINE)
_KNOWN_ENDPOINTS = ("custom", "azureOpenAI", "openAI", "anthropic", "google", "bedrock", "agents", "assistants")
_SYSTEM = ("promptPrefix", "system", "instructions")
# These presets run something that is stored elsewhere, with a model of its own.
_ELSEWHERE = ("agent_id", "assistant_id")
_ICONS = ("iconURL", "groupIcon")
_IN_META = ("modelLabel", "chatGptLabel", "greeting", "endpointType", "tools", "artifacts")
_PARAMS = {"topP": "top_p", "topK": "top_k", "maxOutputTokens": "max_tokens", "maxTokens": "max_tokens"}


def fits_librechat(head: FileHead) -> Fit:
    """Return how well a file fits: a list of models in modelSpecs, or endpoints as LibreChat has them."""
    if not head.documents and not head.is_list and _IN_TEXT.search(head.text):
        # The reader says what is wrong with a file that can't be read.
        return Fit(1.0, f"YAML with {SPECS}: a configuration of LibreChat")
    members = _members(head.documents[0]) if len(head.documents) == 1 else {}
    specs = _members(members[SPECS]) if SPECS in members else {}
    endpoints = _members(members[ENDPOINTS]) if ENDPOINTS in members else {}
    if "list" in specs and specs["list"].elements() is not None:
        return Fit(1.0, f"{_written(head)} with {LIST}: a configuration of LibreChat")
    known = [name for name in endpoints if name in _KNOWN_ENDPOINTS]
    if known and len(known) == len(endpoints) and ("version" in members or SPECS in members):
        return Fit(1.0, f"{_written(head)} with {ENDPOINTS}.{known[0]}: a configuration of LibreChat")
    if known:
        return Fit(0.3, f"a file with {ENDPOINTS}.{known[0]}, but without the version of a configuration of LibreChat")
    return NO_FIT


def read_librechat(source: Source) -> Iterator[Item]:
    """Yield the models of `modelSpecs`, each on the model of its preset, then those that the endpoints offer.

    An entry that is no model becomes an Item with a problem, and a preset that runs an agent a note. Raises SourceError
    when the file can't be read.
    """
    documents = read_parts(source)
    if len(documents) != 1:
        raise SourceError(f"has {len(documents):,} documents; a configuration of LibreChat is one")
    members = documents[0].members() or {}
    if SPECS not in members and ENDPOINTS not in members:
        raise SourceError(f"has neither {SPECS} nor {ENDPOINTS}, so it is not a configuration of LibreChat")
    reader = _Configuration()
    if SPECS in members:
        yield from reader.specs(members[SPECS])
    if ENDPOINTS in members:
        yield from reader.offered(members[ENDPOINTS])
    left = [safe_name(name) for name in members if name not in (SPECS, ENDPOINTS, "version", "cache")]
    if left:
        yield Item("note", "the file", notes=(f"{', '.join(left[:20])}: left out; only models are read",))


class _Configuration:
    """Reads the two parts, and remembers the ids: several endpoints can offer the same model."""

    def __init__(self) -> None:
        self._first_at: dict[str, str] = {}

    def specs(self, part: Part) -> Iterator[Item]:
        """Yield an item for each entry of the list."""
        listed = (part.members() or {}).get("list")
        elements = listed.elements() if listed is not None else []
        if elements is None:
            yield Item(UNKNOWN, LIST, problem="must be a list")
        for number, element in enumerate(elements or []):
            yield self._spec(element, f"{LIST}[{number}]")

    def offered(self, part: Part) -> Iterator[Item]:
        """Yield a base model for each model that an endpoint offers."""
        entry = part.entry()
        if entry.problem is not None:
            yield Item(UNKNOWN, ENDPOINTS, problem=entry.problem)
            return
        read = readable(entry.value)
        if isinstance(read, str):
            yield Item(UNKNOWN, ENDPOINTS, problem=read)
            return
        # What else is in the endpoints is not kept, so what is secret in it needs no note.
        if notes := tuple(note for note in read[1] if "models" in note):
            yield Item("note", ENDPOINTS, notes=notes)
        for one in offered_models(read[0]):
            yield one if isinstance(one, Item) else self._offered(one)

    def _offered(self, model: OfferedModel) -> Item:
        first = self._first_at.setdefault(model.id, model.position)
        if first != model.position:
            notes = (f"has the id of {first}, which is the one that is imported",)
            return Item("note", model.position, {"id": model.id}, notes=notes)
        kept_out: list[str] = []
        meta = catalogue_meta(model.fields, kept_out)
        value = {"id": model.id, "base_model_id": None, "name": model.id, "meta": meta}
        return Item("model", model.position, value, kept_out=tuple(kept_out))

    def _spec(self, part: Part, where: str) -> Item:
        entry = part.entry()
        position = where if entry.line is None else f"{where} (line {entry.line})"
        if entry.problem is not None:
            return Item("model", position, problem=entry.problem)
        read = readable(entry.value)
        if isinstance(read, str):
            return Item("model", position, problem=read)
        spec, notes = read
        name: Any = spec.get("name")
        preset: Any = spec.get("preset")
        if problem := _problem(name, preset):
            return Item("model", position, {"id": name} if isinstance(name, str) else None, problem, notes)
        if preset.get("model") in (None, ""):
            note = f"preset.{_elsewhere(preset)}: runs what is stored elsewhere and names no model, so it is left out"
            return Item("note", position, {"id": name}, notes=(*notes, note))
        self._first_at.setdefault(name, where)
        kept_out: list[str] = []
        value, more = _composed(spec, preset, kept_out)
        return Item("model", position, value, notes=(*notes, *more), kept_out=tuple(kept_out))


def _problem(name: Any, preset: Any) -> str | None:
    if not isinstance(name, str) or not name:
        return "name: must be text"
    if not isinstance(preset, dict):
        return "preset: must be a mapping"
    base = preset.get("model")
    if isinstance(base, str) and base:
        return None
    return None if base in (None, "") and _elsewhere(preset) else "preset.model: must be text"


def _elsewhere(preset: dict[str, Any]) -> str | None:
    return next((name for name in _ELSEWHERE if preset.get(name)), None)


def _composed(spec: dict[str, Any], preset: dict[str, Any], kept_out: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the model that an entry of the list describes, and notes on what is left out of it."""
    notes: list[str] = []
    fields = {
        **without(spec, ("name", "label", "preset", *_ICONS)),
        "provider": preset.get("endpoint"),
        **{name: preset[name] for name in _IN_META if name in preset},
        IMAGE: _image(spec.get("iconURL") or preset.get("iconURL"), notes),
    }
    if spec.get("groupIcon"):
        notes.append("groupIcon: left out")
    systems = [name for name in _SYSTEM if preset.get(name)]
    read = ("endpoint", "model", "iconURL", "spec", *_IN_META, *_ELSEWHERE, *systems[:1])
    params = {_PARAMS.get(name, name): held for name, held in preset.items() if name not in read and held is not None}
    if systems:
        params["system"] = preset[systems[0]]
    value = {
        "id": spec["name"],
        "base_model_id": preset["model"],
        "name": first_name(spec.get("label"), spec["name"]),
        "params": params,
        "meta": catalogue_meta(fields, kept_out),
    }
    notes += [f"preset.{name}: left out" for name in _ELSEWHERE if preset.get(name)]
    return value, notes


def _image(url: Any, notes: list[str]) -> str | None:
    # It can also be the name of an endpoint, whose icon the program has.
    if not isinstance(url, str) or not url:
        return None
    if problem := image_problem(url):
        notes.append(f"iconURL: left out; {problem}")
        return None
    return url


def _written(head: FileHead) -> str:
    return "JSON" if head.members else "YAML"


def _members(part: Part) -> dict[str, Part]:
    try:
        return part.members() or {}
    except SourceError:
        return {}
