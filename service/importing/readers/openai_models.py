"""Reader of the format `openai-models`: answers of `GET /v1/models` of any service that has OpenAI's, or nearly."""

from collections.abc import Iterator
from typing import Any

from service.importing.file_head import NO_FIT, FileHead, Fit, read_file_head, share_of
from service.importing.json_scanner import JsonScanner
from service.importing.readers.bundle import UNKNOWN
from service.importing.readers.catalogue import Repeats, readable
from service.importing.readers.openai_fields import STATE, base_model
from service.importing.readers.openwebui_kinds import CONTENT, export_evidence
from service.importing.readers.openwebui_models import Notes, left_out
from service.importing.source import Item, Source

DATA, MODELS = "data", "models"
ALONE = "the only model"
# Of these, what is no list of models has at most one.
_MARKS = (
    *("context_length", "context_window", "max_context_length", "pricing", "architecture", "supported_parameters"),
    *("supported_input_modalities", "input_modalities", "rate_limit_tier", "display_name", "canonical_slug"),
    *("top_provider", "quantization", "publisher", "max_model_len", "max_completion_tokens", "owned_by"),
)
# Fields of a model in a list that is named `models`, where it has no id: Gemini's, LM Studio's and Cohere's.
_NAMED = {"name": ("inputTokenLimit", "supportedGenerationMethods", "endpoints"), "key": ("publisher", "architecture")}
# Say that there are more models than the answer has.
_MORE = ("has_more", "nextPageToken", "next_page_token")
_BESIDE = ("object", "first_id", "last_id", "success", "total", "total_count", "links", *_MORE)


def fits_openai_models(head: FileHead) -> Fit:
    """Return how well a file fits: most entries of its list have the fields of a model of such a service."""
    if head.is_list:
        where, records = "list", head.elements
    elif isinstance(head.members.get(DATA), list):
        where, records = DATA, head.listed(DATA)
        if not records and head.members.get("object") == "list":
            return Fit(1.0, "JSON with an empty data of the object list: an answer of GET /v1/models")
    elif head.listed(MODELS):
        where, records = MODELS, head.listed(MODELS)
    else:
        where, records = ALONE, [head.members]
    if any(map(_is_of_openwebui, records)):
        return NO_FIT
    share = share_of(records, _is_in_models if where == MODELS else _is_entry)
    if where == ALONE and head.members.get("object") != "model":
        return NO_FIT
    if not share:
        near = where == DATA and any(isinstance(record, dict) and "id" in record for record in records)
        return Fit(0.1, "a JSON object with data, but nothing in it is of the object model") if near else NO_FIT
    known = "JSON " + {"list": "list", ALONE: "object"}.get(where, f"with {where}")
    reason = f"{known} of models: an answer of GET /v1/models"
    return Fit(share, reason if share == 1 else f"{share:.0%} of the first entries are {reason}")


def read_openai_models(source: Source) -> Iterator[Item]:
    """Yield every model of an answer in the order of the file, with its position (`data[3]`).

    An entry that is no model becomes an Item with a problem, and so does a page that others follow. Raises SourceError
    when the rest of the file can't be read.
    """
    # A list of the same models in another form can stand before it.
    listed = DATA if isinstance(read_file_head(source).members.get(DATA), list) else MODELS
    entries = _Entries()
    alone = False
    with source.text() as text:
        scanner = JsonScanner(text, source.bounds)
        if scanner.peek() == "[":
            for number, value in enumerate(scanner.elements()):
                yield entries.item(value, f"[{number}]")
        elif scanner.peek() == "{":
            found = False
            for name in scanner.members():
                if name == listed and found:
                    raise scanner.error(f"{listed} is given twice")
                if name == listed and scanner.peek() == "[":
                    found = True
                    for number, value in enumerate(scanner.elements()):
                        yield entries.item(value, f"{listed}[{number}]")
                else:
                    alone = _is_alone(name, value := scanner.value()) or alone
                    yield from _beside(name, value)
            if not found and not alone:
                yield Item(UNKNOWN, DATA, problem="must be a list of models")
        else:
            raise scanner.error("an answer of GET /v1/models is JSON")
        scanner.end("the models")
    if alone:
        with source.text() as text:
            yield entries.item(JsonScanner(text, source.bounds).value(), ALONE)


class _Entries:
    """Turns the entries of a list into items; what is left out of all of them is noted once."""

    def __init__(self) -> None:
        self._notes = Notes()
        self._repeats = Repeats()

    def item(self, value: Any, position: str) -> Item:
        """Return the model that an entry describes, or an item that says why there is none."""
        read = readable(_with_id(value))
        if isinstance(read, str):
            return Item("model", position, problem=read)
        entry, notes = read
        model_id = entry["name"] if entry.get("id") is None and "name" in entry else entry.get("id")
        if not isinstance(model_id, str) or not model_id:
            return Item("model", position, problem="id: must be text", notes=notes)
        if problem := _problem(value):
            return Item("model", position, {"id": model_id}, problem, notes)
        if note := self._repeats.note(entry, position):
            return note
        more: list[str] = []
        kept_out: list[str] = []
        model = base_model(entry, model_id, more, kept_out)
        left = self._notes.new(left_out(name) for name in STATE if entry.get(name) not in (None, [], {}))
        return Item("model", position, model, notes=(*notes, *more, *left), kept_out=tuple(kept_out))


def _with_id(value: Any) -> Any:
    # In LM Studio's answers the key is the id of a model; anywhere else it would be taken for a secret.
    if not isinstance(value, dict) or "id" in value or "key" not in value:
        return value
    return {"id": value["key"], **{name: held for name, held in value.items() if name != "key"}}


def _problem(entry: dict[str, Any]) -> str | None:
    if entry.get("object", "model") != "model":
        return "object: must be model"
    if _is_entry(entry) or _is_named(entry) or "owned_by" in entry:
        return None
    return "is no model of such a list: it has neither the object model nor other fields of one"


def _is_entry(record: Any) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        return False
    if _is_of_openwebui(record) or "model_name" in record or "litellm_params" in record:
        return False
    if "object" in record:
        return bool(record["object"] == "model")
    return (record.get("type") == "model" and "display_name" in record) or sum(name in record for name in _MARKS) > 1


def _is_named(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and "id" not in record
        and any(isinstance(record.get(name), str) and any(f in record for f in marks) for name, marks in _NAMED.items())
    )


def _is_in_models(record: Any) -> bool:
    # A bundle has its models in a list of this name too.
    return _is_named(record) or (_is_entry(record) and "object" in record)


def _is_of_openwebui(record: Any) -> bool:
    return isinstance(record, dict) and (bool(export_evidence(record)) or any(name in record for name in CONTENT))


def _is_alone(name: str, value: Any) -> bool:
    return name == "object" and value == "model"


def _beside(name: str, value: Any) -> Iterator[Item]:
    if name in _MORE and value not in (None, False, ""):
        problem = "says that more models follow on further pages, which are not in this file"
        yield Item(UNKNOWN, name, problem=problem)
    elif name == MODELS and isinstance(value, list):
        yield Item("note", name, notes=(f"left out; {DATA} has the models",))
