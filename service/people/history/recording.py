"""Recording what changes of users and groups, in the transaction that changes them."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from documents import Group, PeopleChange, User
from documents.grant import PrincipalType
from documents.people_change import RECORDED_FIELDS, PeopleChangeKind
from documents.text import Identifier
from service.clock import now
from service.database.client import Database
from service.database.exact_bson import Record, int64
from service.database.writes import insert_one
from service.errors import BusyError
from service.models.principals import Kind

BATCH = 1000
TYPES: Mapping[Kind, PrincipalType] = {User: PrincipalType.USER, Group: PrincipalType.GROUP}
_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)

# What is recorded of a user or group; None while there is none, or while it is being deleted.
State = Record | None
States = Mapping[str, State]


@dataclass(frozen=True, slots=True)
class Occasion:
    """Who changes users or groups, None for the command line, what kind of change it is of those that exist, and when.

    To be made in each attempt of a transaction, so that later ones have later times.
    """

    by: str | None
    change: PeopleChangeKind
    moment: datetime = field(default_factory=now)


@asynccontextmanager
async def recorded(
    database: Database,
    kind: Kind,
    occasion: Occasion,
    *,
    new: Sequence[str] = (),
    changed: Mapping[str, Any] | None = None,
) -> AsyncIterator[None]:
    """Record what a block of the current transaction changes of users or groups.

    `new` are the ids of those that it adds, and `changed` is the query for those that it changes or removes, if it
    does. Nothing is recorded of those that stay as they are.
    """
    assert database.transacting  # noqa: S101  # or else a change could be stored and not recorded
    before = await _states(database, kind, changed) if changed is not None else {}
    yield
    after = await states_of(database, kind, [*before, *new])
    await record_changes(database, kind, occasion, before, after)


async def states_of(database: Database, kind: Kind, ids: Sequence[str]) -> dict[str, State]:
    """Return what would be recorded of the users or groups with these ids, as they are now."""
    states: dict[str, State] = dict.fromkeys(ids)
    for start in range(0, len(ids), BATCH):
        states |= await _states(database, kind, {"_id": {"$in": ids[start : start + BATCH]}})
    return states


async def _states(database: Database, kind: Kind, query: Mapping[str, Any]) -> dict[str, State]:
    recorded_fields = RECORDED_FIELDS[TYPES[kind]]
    found = await database.find(kind, query, fields=[*recorded_fields, "leaving"])
    return {
        one["_id"]: None
        if one.get("leaving") is True
        else {field: one[field] for field in recorded_fields if field in one}
        for one in found
        if _recordable(one["_id"])
    }


def _recordable(identifier: Any) -> bool:
    # Other ids were written past the service, and no route reaches them.
    try:
        return bool(_IDENTIFIER.validate_python(identifier, strict=True))
    except ValidationError:
        return False


async def record_changes(database: Database, kind: Kind, occasion: Occasion, before: States, after: States) -> None:
    """Record in the current transaction in what these states, by their ids, differ."""
    changes = [found for one in after if (found := _change(kind, one, occasion, before.get(one), after[one]))]
    for start in range(0, len(changes), BATCH):
        batch = changes[start : start + BATCH]
        last = await _last_changes(database, kind, [change["principal_id"] for change in batch])
        placed = [{**change, **_placed(occasion, last.get(change["principal_id"]))} for change in batch]
        _, refused = await database.write_many(PeopleChange, [insert_one(change) for change in placed])
        if refused:
            raise BusyError


async def _last_changes(database: Database, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
    pipeline: list[dict[str, Any]] = [
        {"$match": {"principal_id": {"$in": ids}, "principal_type": TYPES[kind].value}},
        {"$sort": {"principal_id": 1, "principal_type": 1, "number": -1}},
        {"$group": {"_id": "$principal_id", "number": {"$first": "$number"}, "at": {"$first": "$at"}}},
    ]
    return {last["_id"]: last for last in await database.aggregate(PeopleChange, pipeline)}


def _placed(occasion: Occasion, last: Record | None) -> Record:
    if last is None:
        return {"number": int64(1), "at": occasion.moment}
    # A clock that was set back must not put a change before an earlier one.
    return {"number": int64(last["number"] + 1), "at": max(occasion.moment, last["at"])}


def _change(kind: Kind, identifier: str, occasion: Occasion, before: State, after: State) -> Record | None:
    """Return the change between two states, which has no place in the history yet; None if they do not differ."""
    change, fields = occasion.change, None
    if before is None and after is None:
        return None
    if before is None:
        change = PeopleChangeKind.CREATE
    elif after is None:
        change = PeopleChangeKind.DELETE
    elif not (fields := _differing(before, after)):
        return None
    else:
        before, after = ({name: side[name] for name in fields if name in side} for side in (before, after))
    # Built without the document class, since imports create very many.
    return {
        "_id": secrets.token_hex(16),
        "principal_type": TYPES[kind].value,
        "principal_id": identifier,
        "by": occasion.by,
        "change": change.value,
        "fields": fields,
        "before": before,
        "after": after,
    }


def _differing(before: Record, after: Record) -> list[str]:
    # To compare them as BSON, as models are, would take most of the time of an import: these are text and lists of it.
    return [name for name in dict.fromkeys([*before, *after]) if _value(before, name) != _value(after, name)]


def _value(state: Record, name: str) -> tuple[bool, type, Any]:
    # A number that was written past the service can be equal to a truth value.
    return name in state, type(state.get(name)), state.get(name)
