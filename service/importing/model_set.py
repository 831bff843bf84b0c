"""Importing a whole set of models at once: planned and written in one transaction, or not at all."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import Any

from documents import ModelRecord
from documents.derived_keys import OwnerFields
from documents.grant import PrincipalType
from documents.revision import ChangeKind
from service.auth.authentication import Caller, RightsCheck, without_check
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.locks import MODELS, serialized
from service.database.work_context import BULK_TIMEOUT_FACTOR
from service.errors import BusyError, InvalidInputError
from service.importing.operations import (
    ExistingModel,
    aligned_content,
    batches,
    complete_content,
    differing_fields,
    find_existing,
)
from service.importing.permission_check import problems
from service.models.grant_revocation import revoke_absent_grants
from service.models.principals import absent_principals, absent_problem
from service.models.record import CONTENT_FIELDS, Content
from service.models.record_sizes import split_by_size
from service.models.store import (
    LostRaceError,
    PlannedWrite,
    back_off,
    look_up_owners,
    refresh_after_renames,
    write_planned,
)

# Records that are read at once; fewer where they are large.
BATCH = 100
_GRANTS = "access_grants"


class PlannedAction(StrEnum):
    """What happens to one model."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    DELETE = "delete"


@dataclass(slots=True)
class Plan:
    """What happens to every model: its id and the fields that change, by action."""

    models: dict[PlannedAction, list[tuple[str, list[str]]]] = field(
        default_factory=lambda: {action: [] for action in PlannedAction}
    )
    errors: list[dict[str, Any]] = field(default_factory=list)
    existing: int = 0
    owners: dict[str, OwnerFields | None] = field(default_factory=dict)

    def add(self, action: PlannedAction, model_id: str, fields: list[str]) -> None:
        """Add one model."""
        self.models[action].append((model_id, fields))


@dataclass(frozen=True, slots=True)
class SentModel:
    """One model of a set: its place there, and the content that was given, which need not be complete."""

    index: int
    model_id: str
    content: Content


@dataclass(frozen=True, slots=True)
class SetRequest:
    """What a caller wants done with a set of models.

    With `deletes`, all other models of the directory are deleted. `accept` gets the plan when it names what would be
    deleted and nothing has been done yet; it raises to refuse it. `check` is called before each batch and at the end,
    `before_commit` as the last part of the transaction.
    """

    caller: Caller
    models: Sequence[SentModel]
    change: ChangeKind
    dry_run: bool = False
    deletes: bool = False
    accept: Callable[[Plan], None] = lambda _: None
    check: RightsCheck = without_check
    before_commit: Callable[[Plan], Awaitable[None]] | None = None


async def import_set(database: Database, request: SetRequest) -> Plan:
    """Import a set of models and return what was done; for a dry run, what would be done.

    Raises InvalidInputError, which names every model that can't be imported; then nothing is written.
    """
    _require_distinct(request.models)
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
            grants = [grant for model in request.models for grant in model.content.get(_GRANTS, ())]
            await revoke_absent_grants(database, grants)
        return plan
    raise BusyError


async def _attempt(database: Database, request: SetRequest) -> Plan:
    async def work() -> Plan:
        return await _Run(database, request).run()

    if not request.deletes or request.dry_run:
        return await database.in_transaction(work, bulk=True)
    # Two requests at once would each delete only what was there before, and the sets of both would remain.
    return await serialized(database, work, lock=MODELS, bulk=True)


def _require_distinct(models: Sequence[SentModel]) -> None:
    first: dict[str, int] = {}
    errors = [
        _error(model, "id", f"is given twice, first at {first[model.model_id]}")
        for model in models
        if first.setdefault(model.model_id, model.index) != model.index
    ]
    if errors:
        raise InvalidInputError(errors)


def _error(model: SentModel, where: str, msg: str) -> dict[str, Any]:
    return {"loc": ["body", "models", model.index, where], "msg": msg}


class _Run:
    """One attempt, inside a transaction: everything is decided and written on one state of the directory."""

    def __init__(self, database: Database, request: SetRequest) -> None:
        self._database = database
        self._request = request
        self._plan = Plan()

    async def run(self) -> Plan:
        deleted = await self._ids_to_delete() if self._request.deletes else []
        for model_id in deleted:
            self._plan.add(PlannedAction.DELETE, model_id, [])
        self._request.accept(self._plan)
        for batch in batches(self._request.models, BATCH):
            for part in await split_by_size(self._database, batch, lambda model: model.model_id):
                await self._import(part)
        if self._plan.errors:
            raise InvalidInputError(self._plan.errors)
        for ids in batches(deleted, BATCH):
            for part_of_ids in await split_by_size(self._database, ids, str):
                await self._delete(part_of_ids)
        # All of it takes effect now, so the rights count as they are now.
        await self._request.check()
        if self._request.before_commit is not None:
            await self._request.before_commit(self._plan)
        return self._plan

    async def _ids_to_delete(self) -> list[str]:
        found = await self._database.find(ModelRecord, {"_id": {"$type": "string"}}, fields=["_id"])
        self._plan.existing = len(found)
        kept = {model.model_id for model in self._request.models}
        return sorted(record["_id"] for record in found if record["_id"] not in kept)

    async def _delete(self, ids: Sequence[str]) -> None:
        records = await self._database.find(ModelRecord, {"_id": {"$in": list(ids)}})
        await self._write([PlannedWrite(record["_id"], self._request.change, record, None) for record in records])

    async def _import(self, models: Sequence[SentModel]) -> None:
        existing = await find_existing(self._database, [model.model_id for model in models], self._request.caller)
        planned: list[PlannedWrite] = []
        named: list[tuple[SentModel, Mapping[str, Any]]] = []
        for model in models:
            record = existing[model.model_id].record
            if (content := self._decide(model, existing[model.model_id])) is not None:
                planned.append(PlannedWrite(model.model_id, self._request.change, record, content))
                named += [(model, grant) for grant in _new_principals(content, record)]
        await self._require_principals(named)
        # All errors of the set are collected, but after the first one nothing more is written: it would be rolled back.
        if not self._plan.errors:
            await self._write(planned)

    def _decide(self, model: SentModel, existing: ExistingModel) -> Content | None:
        """Add the model, or its errors, to the plan; return the content to be written, None if there is nothing."""
        caller, record = self._request.caller, existing.record
        content = aligned_content(model.content, record)
        if errors := [_error(model, where, msg) for where, msg in problems(content, existing, caller)]:
            self._plan.errors += errors
            return None
        fields = list(CONTENT_FIELDS) if record is None else differing_fields(content, record)
        action = PlannedAction.CREATE if record is None else PlannedAction.UPDATE if fields else PlannedAction.UNCHANGED
        self._plan.add(action, model.model_id, fields)
        return complete_content(content, record, caller.user_id) if fields else None

    async def _require_principals(self, named: Sequence[tuple[SentModel, Mapping[str, Any]]]) -> None:
        absent = await absent_principals(self._database, [grant for _, grant in named])
        for model, grant in named if absent else ():
            principal = (str(grant["principal_type"]), str(grant["principal_id"]))
            if principal in absent:
                where = _GRANTS if "permission" in grant else "user_id"
                self._plan.errors.append(absent_problem(principal, _error(model, where, "")["loc"]))

    async def _write(self, planned: Sequence[PlannedWrite]) -> None:
        if planned and not self._request.dry_run:
            await self._request.check()
            owners = await look_up_owners(self._database, planned)
            self._plan.owners |= owners
            await write_planned(self._database, planned, self._request.caller.user_id, owners)


def _new_principals(content: Content, record: Record | None) -> list[Mapping[str, Any]]:
    """Return, in the form of grants, the grantees and the owner that a record shall name and does not name yet."""
    stored = record or {"access_grants": [], "user_id": None}
    held = {tuple(grant.values()) for grant in stored["access_grants"]}
    named = [grant for grant in content["access_grants"] if tuple(grant.values()) not in held]
    if content["user_id"] != stored["user_id"]:
        named.append({"principal_type": PrincipalType.USER, "principal_id": content["user_id"]})
    return named
