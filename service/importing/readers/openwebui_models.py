"""A model as Open WebUI has it, of any era, made a model of a bundle."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter, ValidationError

from documents.grant import EVERYONE, AccessGrant, Permission, PrincipalType
from documents.text import PrincipalId
from service.errors import invalid_input
from service.importing.source import Item

# What both systems say of a model, under the same names.
SHARED = ("id", "user_id", "base_model_id", "name", "params", "meta", "is_active", "created_at", "updated_at")
ACCESS = ("access_grants", "access_control")
RESOURCE = "model"
PRIVATE = "says nothing of access, so only the owner has it"

MAX_TOLD = 1000
MAX_NOTES = 10
SHOWN_LENGTH = 100

_PRINCIPAL_ID = TypeAdapter[str](PrincipalId)

Grant = dict[str, Any]


class Told:
    """Remembers, within bounds, what has been told, so that a source of many records tells it once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def first(self, notes: Iterable[str]) -> tuple[str, ...]:
        """Return those of the notes that have not been told before."""
        news = [note for note in dict.fromkeys(notes) if note not in self._told]
        news = news[: MAX_TOLD - len(self._told)]
        self._told.update(news)
        return tuple(news)


def shown(text: object) -> str:
    """Write what a file holds into a note."""
    return repr(text[:SHOWN_LENGTH]) if isinstance(text, str) else type(text).__name__


def left_out(name: str) -> str:
    """Say that a part of a record stays behind."""
    return f"{name[:SHOWN_LENGTH] if name.isidentifier() else shown(name)}: left out"


def model_item(record: dict[str, Any], position: str, told: Told) -> Item:
    """Return the model that a record describes; whether it can be taken over is for the engine to check.

    Everything in `params` and `meta` is kept there. Of the rest, what has no place here is left out, and that is
    noted once for the source; a grant that can't be made out is kept out and noted each time.
    """
    value = {name: record[name] for name in SHARED if record.get(name) is not None}
    if value.get("user_id") == "":
        del value["user_id"]
    left = [left_out(name) for name, held in record.items() if name not in SHARED + ACCESS and held is not None]
    if not any(name in record for name in ACCESS):
        left.append(PRIVATE)
    value["access_grants"], kept_out = grants_of(record)
    return Item("model", position, value, notes=(*told.first(left), *_bounded(kept_out)))


def grants_of(record: dict[str, Any]) -> tuple[list[Grant], list[str]]:
    """Return the grants that a record of any era gives, and what of them is kept out.

    What can't be made out gives nobody anything: `access_control` is public when it is null, not when it is absent.
    """
    given: list[Grant] = []
    kept_out: list[str] = []
    for found in _found(record):
        if isinstance(found, str):
            kept_out.append(f"{found}; kept out")
        else:
            given.append(found)
    return given, kept_out


def _found(record: dict[str, Any]) -> Iterator[Grant | str]:
    """Yield each grant, or what is wrong with it."""
    if "access_grants" in record:
        grants = record["access_grants"]
        if isinstance(grants, list):
            yield from (_checked(grant, f"access_grants.{at}", record.get("id")) for at, grant in enumerate(grants))
        elif grants is not None:
            yield "access_grants: must be a list"
    elif "access_control" in record:
        control = record["access_control"]
        if control is None:
            yield _grant(PrincipalType.USER, EVERYONE, Permission.READ)
        else:
            yield from _controlled(control)


def _checked(grant: Any, where: str, model_id: Any) -> Grant | str:
    if not isinstance(grant, dict):
        return f"{where}: must be an object"
    if grant.get("resource_type", RESOURCE) != RESOURCE:
        return f"{where}: is not for a model"
    resource_id = grant.get("resource_id", model_id)
    if not isinstance(resource_id, str) or resource_id != model_id:
        return f"{where}: is for another model"
    named = {name: grant.get(name) for name in ("principal_type", "principal_id", "permission")}
    own_id = {} if grant.get("id") is None else {"id": grant["id"]}
    try:
        AccessGrant.model_validate({"id": "none", **named, **own_id})
    except ValidationError as error:
        return invalid_input(error, where).detail
    return {**own_id, **named}


def _controlled(control: Any) -> Iterator[Grant | str]:
    if not isinstance(control, dict):
        yield "access_control: must be null or an object"
        return
    for permission in Permission:
        part = control.get(permission)
        if isinstance(part, dict):
            for kind in PrincipalType:
                yield from _named(part.get(f"{kind}_ids"), kind, permission)
        elif part is not None:
            yield f"access_control.{permission}: must be an object"


def _named(ids: Any, kind: PrincipalType, permission: Permission) -> Iterator[Grant | str]:
    where = f"access_control.{permission}.{kind}_ids"
    if not isinstance(ids, list):
        if ids is not None:
            yield f"{where}: must be a list"
        return
    for at, principal_id in enumerate(ids):
        try:
            # An id of "*" named nobody there, and would be everyone here.
            yield _grant(kind, _PRINCIPAL_ID.validate_python(principal_id), permission)
        except ValidationError as error:
            yield invalid_input(error, where, str(at)).detail


def _grant(kind: PrincipalType, principal_id: str, permission: Permission) -> Grant:
    return {"principal_type": kind.value, "principal_id": principal_id, "permission": permission.value}


def _bounded(notes: list[str]) -> list[str]:
    if len(notes) <= MAX_NOTES:
        return notes
    return [*notes[:MAX_NOTES], f"{len(notes) - MAX_NOTES:,} more grants kept out"]
