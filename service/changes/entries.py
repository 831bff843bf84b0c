"""What the change stream of the database becomes: changes of models, and changes of somebody's rights, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from documents import ApiKey, Group, ModelRecord, Revision, Session, User
from documents.derived_keys import readers_and_writers
from documents.grant import AccessGrant, user_principal
from service.database.change_streams import ClusterTime, Event, changed_names
from service.database.client import Database
from service.database.exact_bson import Record
from service.models.history.contents import recorded_content
from service.models.shape_check import well_formed_grants

_REVISIONS, _USERS, _GROUPS = (str(kind.Settings.name) for kind in (Revision, User, Group))
_API_KEYS, _SESSIONS = (str(kind.Settings.name) for kind in (ApiKey, Session))
# What decides on the rights of a user, and the principals of those below a group. Who is renamed keeps them.
_OF_USER, _OF_GROUP = {"role", "is_active", "group_ids"}, {"parent_id"}
# Nothing of the content but who may read it, and of the others only what has changed.
STAGES: list[dict[str, Any]] = [
    {
        "$match": {
            "$or": [
                {"ns.coll": _REVISIONS, "operationType": "insert"},
                {"ns.coll": {"$in": [_USERS, _GROUPS]}},
                {"ns.coll": _API_KEYS, "updateDescription.updatedFields.last_used_at": {"$exists": False}},
                {"ns.coll": _SESSIONS, "operationType": "delete"},
            ]
        }
    },
    {
        "$project": {
            **dict.fromkeys(("operationType", "ns", "documentKey", "clusterTime", "updateDescription"), 1),
            "fullDocument": {
                **dict.fromkeys(("_id", "model_id", "version", "at", "by", "change", "fields"), 1),
                "before": {"user_id": 1, "access_grants": 1},
                "after": {"user_id": 1, "access_grants": 1},
            },
        }
    },
]
# Admins may read every model, so this stands for them among its readers.
ADMINS = "admins"
_READ_AT_ONCE = 500


class FeedPosition(NamedTuple):
    """A place in the order of all entries: the number of an entry among those of one moment, which begin at 1."""

    seconds: int
    ordinal: int
    number: int

    @classmethod
    def before(cls, moment: ClusterTime) -> "FeedPosition":
        """Return the place before all that was committed at this moment."""
        return cls(*moment, 0)

    @classmethod
    def after(cls, moment: ClusterTime) -> "FeedPosition":
        """Return the place after all that was committed at this moment."""
        return cls(*moment, 2**32 - 1)

    @property
    def moment(self) -> ClusterTime:
        """When it was committed."""
        return ClusterTime(self.seconds, self.ordinal)


class Access(NamedTuple):
    """Who may read a model, admins among them, and who may change it."""

    readers: frozenset[str]
    writers: frozenset[str]


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A change of one model, without its content; `before` and `after` are None where there is no model.

    Unless `known`, who might read it then can't be found out any more.
    """

    position: FeedPosition
    revision_id: str
    model_id: str
    version: int
    at: datetime | None
    by: str | None
    before: Access | None
    after: Access | None
    known: bool = True

    @property
    def concerns(self) -> frozenset[str]:
        """Those of whom it may be shown to each who has one: principals, and admins."""
        sides = [side.readers for side in (self.before, self.after) if side is not None]
        return sides[0] if len(sides) == 1 else frozenset().union(*sides)


@dataclass(frozen=True, slots=True)
class RightsChange:
    """A change after which somebody may have other rights; `ends_only` for one that leaves them or ends all of them."""

    position: FeedPosition
    concerns: frozenset[str]
    ends_only: bool = False


Entry = ModelChange | RightsChange


def of_api_key(identifier: str) -> str:
    """Return what is concerned by a change of an API key."""
    return f"key:{identifier}"


def of_session(identifier: str) -> str:
    """Return what is concerned by the end of a session."""
    return f"session:{identifier}"


def of_group(identifier: str) -> str:
    """Return what is concerned by a change of a group: each of whose groups it is, or would be if it existed."""
    return f"named:{identifier}"


NumberedEvent = tuple[FeedPosition, Event]


class Numbering:
    """Numbers the events of each moment. It begins anew with any moment, so that all processes number alike."""

    def __init__(self) -> None:
        self._last = FeedPosition(0, 0, 0)

    def numbered(self, events: Sequence[Event]) -> list[NumberedEvent]:
        """Return the next events with their positions."""
        return [(self._next(event), event) for event in events]

    def _next(self, event: Event) -> FeedPosition:
        moment = moment_of(event)
        self._last = FeedPosition(*moment, self._last.number + 1 if self._last.moment == moment else 1)
        return self._last


def moment_of(event: Event) -> ClusterTime:
    """Return when the change of an event was committed."""
    return ClusterTime(event["clusterTime"].time, event["clusterTime"].inc)


async def entries_of(database: Database, numbered: Sequence[NumberedEvent]) -> list[Entry]:
    """Return the entries that these events become, in order."""
    revisions = [
        (position, event["fullDocument"])
        for position, event in numbered
        if event["ns"]["coll"] == _REVISIONS and _is_change(event["fullDocument"])
    ]
    changes = {change.position: change for change in await _changes(database, revisions)}
    found: list[Entry] = []
    for position, event in numbered:
        if position in changes:
            found.append(changes[position])
        elif (concerned := _concerned(event)) is not None:
            ends_only = event["ns"]["coll"] in (_API_KEYS, _SESSIONS)
            found.append(RightsChange(position, frozenset({concerned}), ends_only))
    return found


def _is_change(revision: Mapping[str, Any]) -> bool:
    """Return whether a new revision is about a change that was made just then, and not of an imported history."""
    # What was written past the service in another shape is left alone.
    shape = {"_id": str, "model_id": str, "version": int}
    if not all(isinstance(revision.get(name), kind) for name, kind in shape.items()):
        return False
    return not (revision.get("before") is None and revision.get("fields") is not None)


def _concerned(event: Event) -> str | None:
    kind, identifier = event["ns"]["coll"], event["documentKey"]["_id"]
    names = set(changed_names(event)) if event["operationType"] == "update" else None
    if not isinstance(identifier, str):
        return None
    if kind == _USERS and (names is None or names & _OF_USER):
        return user_principal(identifier)
    if kind == _GROUPS and (names is None or names & _OF_GROUP):
        return of_group(identifier)
    of_credential = {_API_KEYS: of_api_key, _SESSIONS: of_session}.get(kind)
    return of_credential(identifier) if of_credential else None


async def _changes(database: Database, revisions: Sequence[tuple[FeedPosition, Record]]) -> list[ModelChange]:
    """Return the changes that these revisions are about, with who might read each model before and after it.

    A revision names grants only if they differ. Otherwise they are as the next revision that names them has them
    before it, or as they are now.
    """
    lacking = sorted({revision["model_id"] for _, revision in revisions if not _names_grants(revision)})
    # For each model, a version and the grants that it had.
    known = await _current_grants(database, lacking)
    changes: list[ModelChange] = []
    for position, revision in reversed(revisions):
        grants = None
        if not _names_grants(revision):
            grants = await _grants_at(database, revision["model_id"], revision["version"], known)
        change = _change(position, revision, grants)
        changes.append(change)
        if change.known and (before := revision.get("before")) is not None:
            earlier = before.get("access_grants") if grants is None else grants
            known[change.model_id] = change.version - 1, earlier or []
    return changes[::-1]


def _names_grants(revision: Mapping[str, Any]) -> bool:
    sides = [side for side in (revision.get("before"), revision.get("after")) if side is not None]
    return len(sides) == 1 or any("access_grants" in side for side in sides)


async def _current_grants(database: Database, model_ids: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    for start in range(0, len(model_ids), _READ_AT_ONCE):
        query = {"_id": {"$in": list(model_ids[start : start + _READ_AT_ONCE])}}
        records = await database.find(ModelRecord, query, fields=["version", "access_grants"])
        found |= {record["_id"]: (record.get("version"), record.get("access_grants") or []) for record in records}
    return found


async def _grants_at(database: Database, model_id: str, version: int, known: Mapping[str, tuple[Any, Any]]) -> Any:
    """Return the grants that a model had at a version; None when these can't be found out any more."""
    at, grants = known.get(model_id, (None, None))
    if at == version:
        return grants
    content = await recorded_content(database, model_id, version)
    return None if content is None else content.get("access_grants") or []


def _change(position: FeedPosition, revision: Record, grants: Any) -> ModelChange:
    """Return the change of a revision; `grants` are those on both sides of one that does not name them."""
    sides = [revision.get("before"), revision.get("after")]
    is_known = grants is not None or _names_grants(revision)
    if grants is not None:
        sides = [None if side is None else {**side, "access_grants": grants} for side in sides]
    same = sides[0] == sides[1]
    before = _access(sides[0]) if is_known else None
    return ModelChange(
        position,
        revision["_id"],
        revision["model_id"],
        revision["version"],
        revision.get("at"),
        revision.get("by"),
        before,
        before if same or not is_known else _access(sides[1]),
        is_known,
    )


def _access(side: Mapping[str, Any] | None) -> Access | None:
    if side is None:
        return None
    grants = [AccessGrant.model_construct(**grant) for grant in well_formed_grants(side)]
    readers, writers = readers_and_writers(str(side.get("user_id")), grants)
    return Access(frozenset({ADMINS, *readers}), frozenset({ADMINS, *writers}))
