"""Importing models: one batch is prepared while those before it are written."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from documents import ModelRecord
from documents.grant import EVERYONE, AccessGrant, PrincipalType
from documents.image import image_problem
from documents.revision import Change
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ConflictError, InvalidInputError, TooLargeError
from service.importing.permission_check import ExistingRecords, SentModel, look_up, problems
from service.importing.plan import Decision, ImportOptions, decide_update
from service.importing.records import ImportedModel
from service.importing.report import ImportOutcome, Report
from service.importing.writers.known import ExistingPrincipals
from service.importing.writers.users import ATTEMPTS, CONTENDED
from service.models.grant_revocation import revoke_absent_grants
from service.models.grants import replace_grants
from service.models.item import as_stored
from service.models.record import CONTENT_FIELDS, changed_fields, require_storable
from service.models.shape_check import malformed_fields, unknown_fields
from service.models.store import LostRaceError, PlannedWrite, back_off, reuse_limit, store_planned
from service.people.groups import add_group

BATCH_RECORDS = 1000
SHARED_BATCH_RECORDS = 100
BATCH_BYTES = 8_000_000
# The server has more than one core.
BATCHES_AT_ONCE = 2
# What makes two versions of a record the same; `version` and `keys` follow from it.
_CONTENT = (*CONTENT_FIELDS, "created_at", "updated_at")


@dataclass(slots=True)
class _Candidate:
    position: str
    model: ImportedModel
    body: Record
    decision: Decision | None = None


class ModelWriter:
    """Writes the models of a source, batch by batch."""

    def __init__(
        self,
        database: Database,
        options: ImportOptions,
        report: Report,
        known: Mapping[PrincipalType, ExistingPrincipals],
        earlier: Mapping[str, int],
    ) -> None:
        """`earlier` are the numbers of versions that models had elsewhere, whose history is imported too."""
        self._database = database
        self._earlier = earlier
        self._options = options
        self._report = report
        self._known = known
        self._batch: list[_Candidate] = []
        self._batch_bytes = 0
        self._seen: set[bytes] = set()
        self._made: set[bytes] = set()
        self._writing: list[asyncio.Task[None]] = []
        # Whoever calls is not alone: others shall get their turns in between.
        self._batch_records = BATCH_RECORDS if options.caller is None else SHARED_BATCH_RECORDS
        self._at_once = BATCHES_AT_ONCE if options.caller is None else 1

    async def add(self, position: str, model: ImportedModel) -> bool:
        """Take one model; return whether a batch was full and handed on."""
        digest = _digest(model.id)
        if digest in self._seen:
            self._report.reject(position, "model", model.id, "the id is given twice; the first one counts")
            return False
        self._seen.add(digest)
        options = self._options
        if options.owner_id is None and (model.user_id is None or options.mine):
            self._report.reject(position, "model", model.id, "user_id: missing, and no owner was given for such models")
            return False
        candidate = _Candidate(position, model, _body(model, options))
        self._keep_safe_image(candidate)
        try:
            size = require_storable(candidate.body)
        except (ValueError, TooLargeError) as error:
            self._report.reject(position, "model", model.id, f"can't be stored: {error}")
            return False
        self._batch.append(candidate)
        self._batch_bytes += size
        if len(self._batch) < self._batch_records and self._batch_bytes < BATCH_BYTES:
            return False
        await self._hand_on()
        return True

    def _keep_safe_image(self, candidate: _Candidate) -> None:
        meta = candidate.model.meta
        if problem := image_problem(meta.get("profile_image_url")):
            reason = f"meta.profile_image_url: {problem}"
            self._report.reject_part(candidate.position, "model", candidate.model.id, reason)
            candidate.body["meta"] = {name: value for name, value in meta.items() if name != "profile_image_url"}

    def made(self, model_id: str) -> bool:
        """Whether this is a dry run that would have made a model."""
        return _digest(model_id) in self._made

    async def finish(self) -> None:
        """Write what has been taken."""
        await self._hand_on()
        await self.written()

    async def abandon(self) -> None:
        """Give up what is being written, so that nothing is any more when the import has failed."""
        tasks, self._writing = self._writing, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def written(self, unless: int = 0) -> None:
        """Wait for what is being written, unless it is at most so many batches."""
        while len(self._writing) > unless:
            # Those that come after it are still known when it fails, and can be abandoned.
            await self._writing[0]
            del self._writing[0]

    async def _hand_on(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        if not batch:
            return
        await self._keep_known_principals(batch)
        planned = await self._decide(batch)
        await self.written(unless=self._at_once - 1)
        if self._database.transacting:
            # One transaction does one thing at a time.
            await self._write(batch, planned)
        else:
            before = self._writing[-1] if self._writing else None
            self._writing.append(asyncio.create_task(self._write(batch, planned, before)))

    async def _keep_known_principals(self, batch: list[_Candidate]) -> None:
        named: dict[str, set[str]] = {PrincipalType.USER: set(), PrincipalType.GROUP: set()}
        for candidate in batch:
            for grant in candidate.model.access_grants:
                named[grant.principal_type].add(grant.principal_id)
        if self._options.create_groups:
            await self._create_groups(named[PrincipalType.GROUP], batch[0].position)
        existing = {kind: await self._known[PrincipalType(kind)].among(ids) for kind, ids in named.items()}
        existing[PrincipalType.USER].add(EVERYONE)
        for candidate in batch:
            kept: list[AccessGrant] = []
            for grant in candidate.model.access_grants:
                if grant.principal_id in existing[grant.principal_type]:
                    kept.append(grant)
                else:
                    reason = f"access_grants: there is no {grant.principal_type} {grant.principal_id!r}"
                    self._report.reject_part(candidate.position, "model", candidate.model.id, reason)
            if len(kept) != len(candidate.model.access_grants):
                candidate.body["access_grants"] = [grant.model_dump() for grant in kept]

    async def _create_groups(self, named: Collection[str], position: str) -> None:
        known = self._known[PrincipalType.GROUP]
        for group_id in sorted(set(named) - await known.among(named)):
            try:
                if not self._options.dry_run:
                    await add_group(self._database, name=group_id, group_id=group_id)
            except (ConflictError, InvalidInputError) as error:
                self._report.reject(position, "group", group_id, error.detail)
                continue
            known.bring(group_id)
            self._report.add(ImportOutcome.CREATED, position, "group", group_id, reason="named by a grant")

    async def _decide(self, batch: list[_Candidate]) -> list[PlannedWrite]:
        existing = await self._existing([candidate.model.id for candidate in batch])
        planned: list[PlannedWrite] = []
        for candidate in batch:
            live = existing[candidate.model.id]
            decision = self._decision(candidate, live)
            # Where somebody else was faster, nothing of the batch was written: the last decision counts.
            candidate.decision = decision
            if decision.writes:
                planned.append(self._planned(candidate, live.record))
        return planned

    async def _existing(self, ids: list[str]) -> dict[str, ExistingRecords]:
        if self._options.caller is not None:
            return await look_up(self._database, ids, self._options.caller)
        found = {record["_id"]: record for record in await self._database.find(ModelRecord, {"_id": {"$in": ids}})}
        return {model_id: ExistingRecords(found.get(model_id), model_id in found) for model_id in ids}

    def _decision(self, candidate: _Candidate, live: ExistingRecords) -> Decision:
        record = live.record
        if record is not None and isinstance(record.get("access_grants"), list):
            # Grants are a set: neither their order nor their ids make a difference.
            candidate.body["access_grants"] = replace_grants(candidate.body["access_grants"], record)
        if refused := self._refused(candidate, live):
            return Decision(ImportOutcome.REJECTED, reason=refused)
        if record is None:
            return Decision(ImportOutcome.CREATED)
        if unknown := unknown_fields(record):
            # What others put there is not ours to drop, and with it no change can be stored.
            reason = f"was written past the service, with fields that no record has: {', '.join(unknown)}"
            return Decision(ImportOutcome.REJECTED, reason=reason)
        differing = _differing(candidate.body, record)
        if "meta" in differing and isinstance(record.get("meta"), dict):
            # Sent back as it is shown, it is no change.
            candidate.body = dict(as_stored(candidate.body, record))
            differing = _differing(candidate.body, record)
        return decide_update(self._options, differing or malformed_fields(record, with_params=True))

    def _refused(self, candidate: _Candidate, live: ExistingRecords) -> str:
        caller = self._options.caller
        if caller is None:
            return ""
        said = {field: candidate.body[field] for field in CONTENT_FIELDS if field in candidate.body}
        found = problems(SentModel(0, candidate.model.id, said), live, caller)
        return "; ".join(f"{field}: {problem}" for field, problem in found)

    def _planned(self, candidate: _Candidate, live: Record | None) -> PlannedWrite:
        model, body = candidate.model, candidate.body
        held = (live or {}).get("user_id")
        owner = body.get("user_id", held if isinstance(held, str) else self._options.owner_id)
        params = (live or {}).get("params")
        kept = {"user_id": owner, "params": params if isinstance(params, dict) else {}}
        said = {field: body[field] if field in body else kept[field] for field in CONTENT_FIELDS}
        times = {field: body.get(field) for field in ("created_at", "updated_at")}
        # Of others, a source does not tell how often a record was changed.
        least = model.version if _trusted(self._options) else 1
        version = max(least, self._earlier.get(model.id, 0) + 1)
        # Whose an id was last can have changed since this batch was decided on.
        limit = reuse_limit(self._options.caller) if live is None else None
        return PlannedWrite(model.id, Change.IMPORT, live, said, **times, version=version, reuse_limited_to=limit)

    @property
    def _by(self) -> str | None:
        caller = self._options.caller
        return None if caller is None else caller.user_id

    async def _write(
        self, batch: list[_Candidate], planned: list[PlannedWrite], before: asyncio.Task[None] | None = None
    ) -> None:
        if not self._options.dry_run:
            for attempt in range(ATTEMPTS):
                try:
                    if planned:
                        await store_planned(self._database, planned, self._by, bulk=True)
                        given = [grant for item in planned if item.content for grant in item.content["access_grants"]]
                        await revoke_absent_grants(self._database, given)
                    break
                except LostRaceError:
                    # Somebody else changed some of these records in between: look again and write what still differs.
                    await back_off(attempt)
                    planned = await self._decide(batch)
            else:
                raise ConflictError(CONTENDED)
        if before is not None:
            # What became of a batch is told after what became of those that stand before it.
            await asyncio.shield(before)
        for candidate in batch:
            if candidate.decision is not None:
                if self._options.dry_run and candidate.decision.outcome is ImportOutcome.CREATED:
                    self._made.add(_digest(candidate.model.id))
                candidate.decision.add_to(self._report, candidate.position, "model", candidate.model.id)


def _digest(model_id: str) -> bytes:
    return blake2b(model_id.encode(), digest_size=12).digest()


def _differing(body: Record, record: Record) -> list[str]:
    wanted = {field: body.get(field, record.get(field)) for field in _CONTENT}
    return changed_fields({field: record.get(field) for field in _CONTENT}, wanted)


def _trusted(options: ImportOptions) -> bool:
    return options.caller is None or options.caller.is_admin


def _body(model: ImportedModel, options: ImportOptions) -> dict[str, Any]:
    body: dict[str, Any] = {
        "base_model_id": model.base_model_id,
        "name": model.name,
        "meta": model.meta,
        "access_grants": [grant.model_dump() for grant in model.access_grants],
        "is_active": model.is_active,
    }
    # A record that is there keeps its owner, unless the source names one, and its params, which are left out of what
    # is shown to those who may only read.
    if model.user_id is not None and not options.mine:
        body["user_id"] = model.user_id
    if "params" in model.model_fields_set:
        body["params"] = model.params
    times = {"created_at": model.created_at, "updated_at": model.updated_at} if _trusted(options) else {}
    return body | {field: moment for field, moment in times.items() if moment is not None}
