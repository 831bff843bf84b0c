"""Reader of Open WebUI's model exports, of every era: a list, `{"models": […]}`, or one model."""

from collections.abc import Generator, Iterator
from typing import Any

from service.importing.readers.bundle import UNKNOWN
from service.importing.readers.modelfile import parse_modelfile
from service.importing.readers.openwebui_models import SHARED, Told, left_out, model_item
from service.importing.source import Item, JsonScanner, Source

MODELS = "models"
ALONE = "the only model"
# What only a running model has, as the API lists it; the record of one is its `info`.
_RUNTIME = ("object", "owned_by")
_TAGS = ("tag_name", "tagName")
# Whoever names the format of a bundle wrongly shall not lose its people in silence.
_OF_A_BUNDLE = ("users", "groups")
_IN_META = {
    "profile_image_url": "imageUrl",
    "description": "desc",
    "suggestion_prompts": "suggestionPrompts",
    "tags": "categories",
}


def read_openwebui(source: Source) -> Iterator[Item]:
    """Yield every model of an export in the order of the file, with its position (`[3]` or `models[3]`).

    Raises SourceError when the rest of the file can't be made out.
    """
    told = Told()
    with source.text() as text:
        scanner = JsonScanner(text, source.longest_value)
        if scanner.peek() == "[":
            listed = True
            yield from _elements(scanner, "", told)
        elif scanner.peek() == "{":
            listed = yield from _members(scanner, told)
        else:
            raise scanner.error(f"an export is a JSON list of models, an object with {MODELS}, or one model")
        if scanner.peek():
            raise scanner.error("more text after the models")
    if not listed:
        with source.text() as text:
            yield _item(JsonScanner(text, source.longest_value).value(), ALONE, told)


def _elements(scanner: JsonScanner, where: str, told: Told) -> Iterator[Item]:
    for number, value in enumerate(scanner.elements()):
        yield _item(value, f"{where}[{number}]", told)


def _members(scanner: JsonScanner, told: Told) -> Generator[Item, None, bool]:
    """Yield the models of an object that lists some; return whether it is one that does."""
    listed = False
    scanner.take("{")
    if scanner.peek() == "}":
        scanner.take("}")
        return listed
    while True:
        name = scanner.value()
        scanner.take(":")
        if name != MODELS:
            scanner.value()
            if name in _OF_A_BUNDLE:
                yield Item(
                    UNKNOWN, name, problem="is not in an export; as a bundle (format modeldeck) it would be read"
                )
        elif listed:
            raise scanner.error(f"{MODELS} stands twice")
        else:
            listed = True
            yield from _listed(scanner, told)
        scanner.take(",}")
        if scanner.took == "}":
            return listed


def _listed(scanner: JsonScanner, told: Told) -> Iterator[Item]:
    if scanner.peek() == "[":
        yield from _elements(scanner, MODELS, told)
    else:
        scanner.value()
        yield Item(UNKNOWN, MODELS, problem="must be a list")


def _item(value: Any, position: str, told: Told) -> Item:
    if not isinstance(value, dict):
        return Item("model", position, value)
    if "modelfile" in value or ("tagName" in value and "content" in value):
        return _from_modelfile(value, position, told)
    if value.get("info") is not None:
        return _from_info(value, position, told)
    if value.get("name") is None and any(name in value for name in _RUNTIME):
        value = {**value, "name": value.get("id")}
    return model_item(value, position, told)


def _from_info(value: dict[str, Any], position: str, told: Told) -> Item:
    info = value["info"]
    if not isinstance(info, dict):
        return Item("model", position, {"id": value.get("id")}, "info: must be an object")
    # Of some that are made while the system runs, the info says little.
    named = {name: value.get(name) for name in ("id", "name") if info.get(name) is None}
    item = model_item({**info, **named}, position, told)
    outside = [name for name, held in value.items() if held is not None and name not in ("info", *SHARED)]
    return Item("model", position, item.value, item.problem, (*told.first(map(left_out, outside)), *item.notes))


def _from_modelfile(value: dict[str, Any], position: str, told: Told) -> Item:
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
    known = {"title", "content", "user_id", "timestamp", "modelfile", *_TAGS, *_IN_META.values()}
    left = dict.fromkeys([*parsed.left, *(name for held in (value, modelfile) for name in held if name not in known)])
    item = model_item(record, position, told)
    return Item("model", position, item.value, item.problem, (*told.first(map(left_out, left)), *item.notes))
