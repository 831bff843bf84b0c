"""Converting a model of any version of Open WebUI to a model of a bundle."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from documents.grant import EVERYONE, AccessGrant, Permission, PrincipalType
from documents.text import PrincipalId
from service.errors import invalid_input
from service.importing.readers.openwebui_content import DEFAULTED, with_default_image, without_exposed_secrets
from service.importing.readers.redact import HIDDEN, safe_name
from service.importing.source import Item, SourceError

# Fields that have the same name in both systems.
SHARED = ("id", "user_id", "base_model_id", "name", "params", "meta", "is_active", "created_at", "updated_at")
ACCESS = ("access_grants", "access_control")
RESOURCE = "model"
PRIVATE = "has no access settings, so only its owner can read it"

MAX_DISTINCT_NOTES = 1000
MAX_GRANT_NOTES = 10
# More than a record can have.
MAX_ENTRIES = 10_000
TOO_MANY = f"has more than {MAX_ENTRIES:,} entries"
MAX_QUOTED = 100

_PRINCIPAL_ID = TypeAdapter[str](PrincipalId)

Grant = dict[str, Any]


class Notes:
    """Remembers, within bounds, the notes of a source, so that the same note is not repeated for each record."""

    def __init__(self, most_invalid: int | None = None) -> None:
        """Allow so many grants that are not valid."""
        self._notes: set[str] = set()
        self._invalid = 0
        self._most_invalid = most_invalid

    def may_explain(self) -> bool:
        """Count a grant that is not valid, and say whether it shall be explained; raise SourceError for too many."""
        self._invalid += 1
        if self._most_invalid is not None and self._invalid > self._most_invalid:
            raise SourceError(f"more than {self._most_invalid:,} grants are not valid")
        return self._invalid <= MAX_DISTINCT_NOTES

    def new(self, notes: Iterable[str]) -> tuple[str, ...]:
        """Return those of the notes that have not been given before."""
        new = [note for note in dict.fromkeys(notes) if note not in self._notes]
        new = new[: MAX_DISTINCT_NOTES - len(self._notes)]
        self._notes.update(new)
        return tuple(new)


def excerpt(text: object) -> str:
    """Return a value of a file in a form and length for a message."""
    return repr(text[:MAX_QUOTED]) if isinstance(text, str) else type(text).__name__


def left_out(name: str) -> str:
    """Return the note that a field of a record is left out."""
    shown = safe_name(name)
    return f"{shown if shown == HIDDEN or name.isidentifier() else excerpt(name)}: left out"


def model_item(record: dict[str, Any], position: str, notes: Notes) -> Item:
    """Return the model that a record describes, which the engine still has to check.

    Everything in `params` and `meta` is kept, except a secret in `meta`. Other fields that a model does not have here
    are left out, with one note for the source; a grant that is not understood is left out, with a note each time.
    """
    given = {name: record[name] for name in SHARED if record.get(name) is not None}
    value, secrets = without_exposed_secrets(given)
    left = []
    if "meta" in value and (meta := with_default_image(value["meta"])) is not value["meta"]:
        value = {**value, "meta": meta}
        left.append(DEFAULTED)
    if value.get("user_id") == "":
        del value["user_id"]
    left += [left_out(name) for name, held in record.items() if name not in SHARED + ACCESS and held is not None]
    if not any(name in record for name in ACCESS):
        left.append(PRIVATE)
    value["access_grants"], problems = grants_of(record, notes.may_explain)
    return Item("model", position, value, notes=(*notes.new(left), *secrets, *_bounded(problems)))


def grants_of(record: dict[str, Any], may_explain: Callable[[], bool] = lambda: True) -> tuple[list[Grant], list[str]]:
    """Return the grants of a record of any version, and notes on those that are left out.

    Why a grant is not valid is noted where `may_explain` says so.
    What is not understood gives no access: `access_control` means public when it is null, but not when it is absent.
    """
    grants: list[Grant] = []
    problems: list[str] = []
    for found in _grants_or_problems(record):
        if isinstance(found, _InvalidGrant):
            explained = may_explain() and len(problems) < MAX_GRANT_NOTES
            problems.append(f"{found.explained() if explained else f'{found.where}: is not valid'}; left out")
        elif isinstance(found, str):
            problems.append(f"{found}; left out")
        else:
            grants.append(found)
    return grants, problems


@dataclass(frozen=True, slots=True)
class _InvalidGrant:
    """A grant that is not valid, and where it is; to explain it takes ten times as long as to find it."""

    where: str
    error: ValidationError

    def explained(self) -> str:
        return invalid_input(self.error, self.where).detail


_Found = Grant | _InvalidGrant | str


def _grants_or_problems(record: dict[str, Any]) -> Iterator[_Found]:
    """Yield each grant, or the problem that it has."""
    if "access_grants" in record:
        grants = record["access_grants"]
        if isinstance(grants, list) and len(grants) > MAX_ENTRIES:
            yield f"access_grants: {TOO_MANY}"
        elif isinstance(grants, list):
            yield from (_checked(grant, f"access_grants.{at}", record.get("id")) for at, grant in enumerate(grants))
        elif grants is not None:
            yield "access_grants: must be a list"
    elif "access_control" in record:
        control = record["access_control"]
        if control is None:
            yield _grant(PrincipalType.USER, EVERYONE, Permission.READ)
        else:
            yield from _controlled(control)


def _checked(grant: Any, where: str, model_id: Any) -> _Found:
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
        return _InvalidGrant(where, error)
    return {**own_id, **named}


def _controlled(control: Any) -> Iterator[_Found]:
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


def _named(ids: Any, kind: PrincipalType, permission: Permission) -> Iterator[_Found]:
    where = f"access_control.{permission}.{kind}_ids"
    if not isinstance(ids, list):
        if ids is not None:
            yield f"{where}: must be a list"
        return
    if len(ids) > MAX_ENTRIES:
        yield f"{where}: {TOO_MANY}"
        return
    for at, principal_id in enumerate(ids):
        try:
            # An id of "*" meant no user there, and would mean everyone here.
            yield _grant(kind, _PRINCIPAL_ID.validate_python(principal_id), permission)
        except ValidationError as error:
            yield _InvalidGrant(f"{where}.{at}", error)


def _grant(kind: PrincipalType, principal_id: str, permission: Permission) -> Grant:
    return {"principal_type": kind.value, "principal_id": principal_id, "permission": permission.value}


def _bounded(notes: list[str]) -> list[str]:
    if len(notes) <= MAX_GRANT_NOTES:
        return notes
    return [*notes[:MAX_GRANT_NOTES], f"{len(notes) - MAX_GRANT_NOTES:,} more grants left out"]
