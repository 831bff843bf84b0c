"""The models that the endpoints of a LibreChat configuration offer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service.importing.readers.bundle import UNKNOWN
from service.importing.readers.redact import safe_name
from service.importing.source import Item


@dataclass(frozen=True, slots=True)
class OfferedModel:
    """A model of an endpoint: its id there, where it is named, and what is said of it."""

    id: str
    position: str
    fields: dict[str, Any]


def offered_models(endpoints: Any) -> Iterator[OfferedModel | Item]:
    """Yield the models of all endpoints, and an Item for what can't be read or is not in the file."""
    if not isinstance(endpoints, dict):
        yield Item(UNKNOWN, "endpoints", problem="must be a mapping")
        return
    for kind, held in endpoints.items():
        where = f"endpoints.{safe_name(kind)}"
        for number, endpoint in enumerate(held if isinstance(held, list) else [held]):
            place = f"{where}[{number}]" if isinstance(held, list) else where
            if isinstance(endpoint, dict):
                named = endpoint.get("name")
                yield from _of_endpoint(endpoint, named if isinstance(named, str) else str(kind), place)


def _of_endpoint(endpoint: dict[str, Any], provider: str, where: str) -> Iterator[OfferedModel | Item]:
    yield from _listed(endpoint.get("models"), {"provider": provider}, f"{where}.models")
    groups = endpoint.get("groups")
    for number, group in enumerate(groups if isinstance(groups, list) else []):
        if isinstance(group, dict):
            fields = {"provider": provider, "group": group.get("group")}
            yield from _listed(group.get("models"), fields, f"{where}.groups[{number}].models")
    vertex = endpoint.get("vertex")
    if isinstance(vertex, dict):
        yield from _listed(vertex.get("models"), {"provider": provider}, f"{where}.vertex.models")


def _listed(models: Any, fields: dict[str, Any], where: str) -> Iterator[OfferedModel | Item]:
    """Yield the models of a list, of a mapping with such a list as its default, or of a mapping by name."""
    if isinstance(models, dict) and ("default" in models or "fetch" in models):
        yield from _listed(models.get("default"), fields, f"{where}.default")
        if models.get("fetch") is True:
            note = "fetch: the models that the endpoint lists itself are not in this file"
            yield Item("note", where, notes=(note,))
    elif isinstance(models, dict):
        for name, held in models.items():
            # Not by name, since a name can be as long as anything.
            yield _offered(name, held, fields, f"{where}.{safe_name(name)}")
    elif isinstance(models, list):
        for number, held in enumerate(models):
            name = held.get("name") if isinstance(held, dict) else held
            yield _offered(name, held, fields, f"{where}[{number}]")
    elif models is not None:
        yield Item(UNKNOWN, where, problem="must be a list or a mapping of models")


def _offered(name: Any, held: Any, fields: dict[str, Any], where: str) -> OfferedModel | Item:
    if not isinstance(name, str) or not name:
        return Item("model", where, problem="must be the name of a model")
    known = held if isinstance(held, dict) else {}
    own = {key: known[key] for key in ("description", "deploymentName", "version") if known.get(key) is not None}
    return OfferedModel(name, where, {**fields, **own})
