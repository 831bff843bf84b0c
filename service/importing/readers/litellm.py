"""Reader of the format `litellm`: the `model_list` of a proxy configuration, without its secrets."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from documents.freeform import free_form_problem
from service.importing.readers.litellm_meta import meta_of, typed_value
from service.importing.readers.redact import safe_name, without_secrets
from service.importing.readers.yaml_file import Entry, YamlFile
from service.importing.source import Item, Source, SourceError

MODELS = "model_list"
NAME, PARAMS, INFO = "model_name", "litellm_params", "model_info"
ACCESS_GROUPS = "access_groups"
ANY = "*"
MAX_SLUG_LENGTH = 200
_NOT_IN_SLUG = re.compile(r"[^\w.]+")


def read_litellm(source: Source) -> Iterator[Item]:
    """Yield the models of a proxy configuration, each with its position (`model_list[3] (line 40)`).

    An entry that is no model becomes an Item with a problem. Raises SourceError when the file can't be read. No
    message, problem or note contains a secret of the file.
    """
    file = YamlFile(source)
    if MODELS not in file.sections:
        raise SourceError(f"there is no {MODELS} at the top of the file")
    # There is no record of the file as a whole, so the first model gets the notes on it.
    notes = tuple(f"{safe_name(name)}: left out; only {MODELS} is read" for name in file.sections if name != MODELS)
    first_at: dict[bytes, str] = {}
    for number, entry in enumerate(file.entries(MODELS)):
        position = f"{MODELS}[{number}] (line {entry.line})"
        item = _item(position, entry, first_at)
        yield replace(item, notes=notes + item.notes)
        notes = ()


def _item(position: str, entry: Entry, first_at: dict[bytes, str]) -> Item:
    if entry.problem is not None:
        return Item("model", position, problem=entry.problem)
    if not isinstance(entry.value, dict):
        return Item("model", position, problem="must be a mapping")
    kept, notes = without_secrets(entry.value)
    if problem := free_form_problem(kept) or _problem(kept):
        return Item("model", position, {"id": kept.get(NAME)}, problem, notes)
    canonical = json.dumps(kept, sort_keys=True).encode()
    model = _model(kept, canonical)
    first = first_at.setdefault(blake2b(canonical, digest_size=16).digest(), position)
    if first != position:
        problem = f"equals {first} apart from secrets; only that one is imported"
        return Item("model", position, {"id": model["id"]}, problem, notes)
    unknown = [f"{safe_name(name)}: left out; unknown" for name in kept if name not in (NAME, PARAMS, INFO)]
    return Item("model", position, model, notes=(*notes, *unknown))


def _problem(entry: dict[str, Any]) -> str | None:
    params, info = entry.get(PARAMS), _info(entry)
    if not isinstance(entry.get(NAME), str):
        return f"{NAME}: must be text"
    if not isinstance(params, dict) or not isinstance(params.get("model"), str):
        return f"{PARAMS}: must be a mapping with a model"
    if ANY in entry[NAME] or ANY in params["model"]:
        return "is a route to any number of models, not one model"
    return _info_problem(info) if isinstance(info, dict) else f"{INFO}: must be a mapping"


def _info_problem(info: dict[str, Any]) -> str | None:
    if isinstance(info.get("id"), bool) or not isinstance(info.get("id"), str | int | None):
        return f"{INFO}.id: must be text"
    groups = _access_groups(info)
    if not isinstance(groups, list) or not all(isinstance(group, str) and group for group in groups):
        return f"{INFO}.{ACCESS_GROUPS}: must be a list of text"
    return None


def _info(entry: dict[str, Any]) -> Any:
    info = entry.get(INFO)
    return {} if info is None else info


def _access_groups(info: dict[str, Any]) -> Any:
    groups = info.get(ACCESS_GROUPS)
    return [] if groups is None else groups


def _model(entry: dict[str, Any], canonical: bytes) -> dict[str, Any]:
    params, info = entry[PARAMS], _info(entry)
    given = info.get("id")
    return {
        "id": _derived_id(entry[NAME], canonical) if given in (None, "") else str(given),
        "base_model_id": params["model"],
        "name": entry[NAME],
        "params": {name: value for name, value in params.items() if name != "model"},
        "meta": meta_of(
            {name: typed_value(name, value) for name, value in info.items() if name not in ("id", ACCESS_GROUPS)}
        ),
        "access_grants": [
            {"principal_type": "group", "principal_id": group, "permission": "read"}
            for group in dict.fromkeys(_access_groups(info))
        ],
    }


def _derived_id(name: str, canonical: bytes) -> str:
    slug = _NOT_IN_SLUG.sub("-", name.casefold()).strip("-.")[:MAX_SLUG_LENGTH]
    return f"{slug or 'model'}-{blake2b(canonical, digest_size=6).hexdigest()}"
