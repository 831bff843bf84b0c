"""A whole set of models taken over at once: planned and written in one transaction, or not at all."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any

from documents import ModelRecord
from documents.derived_keys import OwnerFields
from documents.revision import Change
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.locks import MODELS, serialized
from service.database.work_context import BULK_TIMEOUT_FACTOR
from service.errors import BusyError, InvalidInputError
from service.importing.permission_check import ExistingRecords, SentModel, look_up, new_principals, problems
from service.models.grant_revocation import revoke_absent_grants
from service.models.principals import absent_principals, absent_problem
from service.models.record import changed_fields
from service.models.store import (
    LostRaceError,
    PlannedWrite,
    back_off,
    look_up_owners,
    refresh_after_renames,
    write_planned,
)

# So many records, of 500 KB at most, are in memory at once.
BATCH = 100
_GRANTS = "access_grants"


class Action(StrEnum):
    """What happens to one model."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    DELETE = "delete"


@dataclass(slots=True)
class Plan:
    """What happens to every model: its id and the fields that change, by kind of action."""

    models: dict[Action, list[tuple[str, list[str]]]] = field(default_factory=lambda: {action: [] for action in Action})
    errors: list[dict[str, Any]] = field(default_factory=list)
    existing: int = 0
    owners: dict[str, OwnerFields | None] = field(default_factory=dict)

    def note(self, action: Action, model_id: str, fields: list[str]) -> None:
        """Add one model."""
        self.models[action].append((model_id, fields))


@dataclass(frozen=True, slots=True)
class SetRequest:
    """What a caller wants done with a set of models.

    With `deletes`, all other models of the directory are deleted. `accept` sees how many there are to delete before
    anything is done, and raises to refuse it.
    """

    caller: Caller
    items: Sequence[SentModel]
    change: Change
    dry_run: bool = False
    deletes: bool = False
    accept: Callable[[Plan], None] = lambda _: None


async def import_set(database: Database, request: SetRequest) -> Plan:
    """Do what is ordered and return what was done; for a dry run, what would be.

    Raises InvalidInputError, which names every item that can't be taken over; then nothing is done.
    """
    _require_distinct(request.items)
    deadline = time.monotonic() + database.timeout * BULK_TIMEOUT_FACTOR
    for attempt in count():
        try:
            plan = await _attempt(database, request)
        except LostRaceError:
            if time.monotonic() > deadline:
                break
            await back_off(attempt)
            continue
        if not request.dry_run:
            await refresh_after_renames(database, plan.owners)
            await revoke_absent_grants(
                database, [grant for item in request.items for grant in item.said.get(_GRANTS, ())]
            )
        return plan
    raise BusyError


async def _attempt(database: Database, request: SetRequest) -> Plan:
    async def work() -> Plan:
        return await _Run(database, request).run()

    if not request.deletes or request.dry_run:
        return await database.in_transaction(work, bulk=True)
    # Two at once would each delete what was there before, and both would leave their own set.
    return await serialized(database, work, lock=MODELS, bulk=True)


def _require_distinct(items: Sequence[SentModel]) -> None:
    first: dict[str, int] = {}
    errors = []
    for item in items:
        if first.setdefault(item.model_id, item.at) != item.at:
            msg = f"is given twice, first at {first[item.model_id]}"
            errors.append(_error(item, "id", msg))
    if errors:
        raise InvalidInputError(errors)


def _error(item: SentModel, where: str, msg: str) -> dict[str, Any]:
    return {"loc": ["body", "models", item.at, where], "msg": msg}


class _Run:
    """One attempt, inside a transaction: everything is decided on, and written to, one state of the directory."""

    def __init__(self, database: Database, request: SetRequest) -> None:
        self._database = database
        self._request = request
        self._plan = Plan()

    async def run(self) -> Plan:
        deleted = await self._ids_to_delete() if self._request.deletes else []
        for model_id in deleted:
            self._plan.note(Action.DELETE, model_id, [])
        self._request.accept(self._plan)
        for batch in _batches(self._request.items):
            await self._take(batch)
        if self._plan.errors:
            raise InvalidInputError(self._plan.errors)
        for ids in _batches(deleted):
            await self._delete(ids)
        return self._plan

    async def _ids_to_delete(self) -> list[str]:
        found = await self._database.find(ModelRecord, {"_id": {"$type": "string"}}, fields=["_id"])
        self._plan.existing = len(found)
        kept = {item.model_id for item in self._request.items}
        return sorted(record["_id"] for record in found if record["_id"] not in kept)

    async def _delete(self, ids: Sequence[str]) -> None:
        records = await self._database.find(ModelRecord, {"_id": {"$in": list(ids)}})
        await self._write([PlannedWrite(record["_id"], self._request.change, record, None) for record in records])

    async def _take(self, items: Sequence[SentModel]) -> None:
        live = await look_up(self._database, [item.model_id for item in items], self._request.caller)
        decided = [(item, action) for item in items if (action := self._decide(item, live[item.model_id])) is not None]
        await self._require_principals(decided)
        # What is wrong is looked for in the whole set, but nothing more need be written to be taken back.
        if not self._plan.errors:
            await self._write([action for _, action in decided])

    def _decide(self, item: SentModel, live: ExistingRecords) -> PlannedWrite | None:
        found = [_error(item, where, msg) for where, msg in problems(item, live, self._request.caller)]
        if found:
            self._plan.errors += found
            return None
        planned = PlannedWrite(
            item.model_id, self._request.change, live.record, item.whole(live.record, self._request.caller)
        )
        assert planned.content is not None  # noqa: S101  # an item says what its record shall say
        fields = changed_fields(planned.before or {}, planned.content)
        if live.record is None:
            self._plan.note(Action.CREATE, item.model_id, fields)
            return planned
        self._plan.note(Action.UPDATE if fields else Action.UNCHANGED, item.model_id, fields)
        return planned if fields else None

    async def _require_principals(self, decided: Sequence[tuple[SentModel, PlannedWrite]]) -> None:
        named = [
            (item, grant) for item, write in decided for grant in new_principals(write.content or {}, write.stored)
        ]
        absent = await absent_principals(self._database, [grant for _, grant in named])
        for item, grant in named if absent else ():
            principal = (str(grant["principal_type"]), str(grant["principal_id"]))
            if principal in absent:
                where = _GRANTS if "permission" in grant else "user_id"
                self._plan.errors.append(absent_problem(principal, _error(item, where, "")["loc"]))

    async def _write(self, planned: Sequence[PlannedWrite]) -> None:
        if planned and not self._request.dry_run:
            known = await look_up_owners(self._database, planned)
            self._plan.owners |= known
            await write_planned(self._database, planned, self._request.caller.user_id, known)


def _batches(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(things), BATCH):
        yield things[start : start + BATCH]
