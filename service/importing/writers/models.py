"""Importing models: one batch is prepared while those before it are written."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

from documents.grant import EVERYONE, AccessGrant, PrincipalType
from documents.image import IMAGE, image_problem
from documents.revision import ChangeKind
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ConflictError, InvalidInputError, TooLargeError
from service.importing.operations import (
    ExistingModel,
    ExistingPrincipals,
    aligned_content,
    complete_content,
    differing_fields,
    find_existing,
)
from service.importing.permission_check import problems
from service.importing.plan import ATTEMPTS, CONTENDED, Decision, ImportOptions, decide_update
from service.importing.records import ImportedModel
from service.importing.report import ImportOutcome, Report
from service.models.grant_revocation import revoke_absent_grants
from service.models.record import Content, require_storable
from service.models.record_sizes import split_by_size
from service.models.shape_check import malformed_fields, unknown_fields
from service.models.store import LostRaceError, PlannedWrite, back_off, reuse_limit, store_planned
from service.people.groups import add_group

BATCH_RECORDS = 1000
# Through the service other requests are served meanwhile, so that batches are smaller there.
SHARED_BATCH_RECORDS = 100
BATCH_BYTES = 8_000_000
# The server has more than one core.
CONCURRENT_BATCHES = 2


@dataclass(slots=True)
class _Candidate:
    """A model to be imported: where it stands in the source, its content and times, and what was decided on it."""

    position: str
    model: ImportedModel
    content: dict[str, Any]
    decision: Decision | None = None


class ModelWriter:
    """Writes the models of a source, batch by batch."""

    def __init__(
        self,
        database: Database,
        options: ImportOptions,
        report: Report,
        principals: Mapping[PrincipalType, ExistingPrincipals],
        revisions: Mapping[str, int],
    ) -> None:
        """`revisions` counts, by model, the revisions that are imported too: the versions of a model follow them."""
        self._database = database
        self._revisions = revisions
        self._options = options
        self._report = report
        self._principals = principals
        self._batch: list[_Candidate] = []
        self._batch_bytes = 0
        self._seen: set[bytes] = set()
        self._created: set[bytes] = set()
        self._writing: list[asyncio.Task[None]] = []
        self._batch_records = BATCH_RECORDS if options.caller is None else SHARED_BATCH_RECORDS
        self._concurrent = CONCURRENT_BATCHES if options.caller is None else 1

    async def add(self, position: str, model: ImportedModel) -> bool:
        """Add one model; return whether a batch was full and its writing begun."""
        digest = _digest(model.id)
        if digest in self._seen:
            self._report.reject(position, "model", model.id, "the id is given twice; only the first is imported")
            return False
        self._seen.add(digest)
        options = self._options
        if options.owner_id is None and (model.user_id is None or options.mine):
            self._report.reject(position, "model", model.id, "user_id: missing, and no owner was given for such models")
            return False
        candidate = _Candidate(position, model, _content(model, options))
        self._reject_unsafe_image(candidate)
        try:
            size = require_storable(candidate.content)
        except (ValueError, TooLargeError) as error:
            self._report.reject(position, "model", model.id, f"can't be stored: {error}")
            return False
        self._batch.append(candidate)
        self._batch_bytes += size
        if len(self._batch) < self._batch_records and self._batch_bytes < BATCH_BYTES:
            return False
        await self._begin_batch()
        return True

    def _reject_unsafe_image(self, candidate: _Candidate) -> None:
        meta = candidate.model.meta
        if problem := image_problem(meta.get(IMAGE)):
            reason = f"meta.profile_image_url: {problem}"
            self._report.reject_part(candidate.position, "model", candidate.model.id, reason)
            candidate.content["meta"] = {name: value for name, value in meta.items() if name != IMAGE}

    def would_create(self, model_id: str) -> bool:
        """Return whether this is a dry run that would have created the model."""
        return _digest(model_id) in self._created

    async def finish(self) -> None:
        """Write everything that was added."""
        await self._begin_batch()
        await self.wait()

    async def cancel(self) -> None:
        """Cancel what is being written, so that nothing is written any more after the import has failed."""
        tasks, self._writing = self._writing, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def wait(self, at_most: int = 0) -> None:
        """Wait until at most so many batches are being written."""
        while len(self._writing) > at_most:
            # Removed only afterwards: if it fails, `cancel` must still find those behind it.
            await self._writing[0]
            del self._writing[0]

    async def _begin_batch(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        for part in await split_by_size(self._database, batch, lambda candidate: candidate.model.id) if batch else ():
            await self._begin_part(part)

    async def _begin_part(self, batch: list[_Candidate]) -> None:
        await self._reject_absent_principals(batch)
        planned = await self._decide(batch)
        await self.wait(self._concurrent - 1)
        if self._database.transacting:
            # One transaction does one thing at a time.
            await self._write(batch, planned)
        else:
            previous = self._writing[-1] if self._writing else None
            self._writing.append(asyncio.create_task(self._write(batch, planned, previous)))

    async def _reject_absent_principals(self, batch: list[_Candidate]) -> None:
        named: dict[str, set[str]] = {PrincipalType.USER: set(), PrincipalType.GROUP: set()}
        for candidate in batch:
            for grant in candidate.model.access_grants:
                named[grant.principal_type].add(grant.principal_id)
        if self._options.create_groups:
            await self._create_groups(named[PrincipalType.GROUP], batch[0].position)
        existing = {kind: await self._principals[PrincipalType(kind)].filter(ids) for kind, ids in named.items()}
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
                candidate.content["access_grants"] = [grant.model_dump() for grant in kept]

    async def _create_groups(self, named: Collection[str], position: str) -> None:
        groups = self._principals[PrincipalType.GROUP]
        for group_id in sorted(set(named) - await groups.filter(named)):
            if not self._options.dry_run:
                await self._options.check()
            try:
                if not self._options.dry_run:
                    await add_group(self._database, name=group_id, group_id=group_id)
            except (ConflictError, InvalidInputError) as error:
                self._report.reject(position, "group", group_id, error.detail)
                continue
            groups.add(group_id)
            self._report.add(ImportOutcome.CREATED, position, "group", group_id, reason="named by a grant")

    async def _decide(self, batch: list[_Candidate]) -> list[PlannedWrite]:
        ids = [candidate.model.id for candidate in batch]
        existing = await find_existing(self._database, ids, self._options.caller)
        planned: list[PlannedWrite] = []
        for candidate in batch:
            found = existing[candidate.model.id]
            content = aligned_content(candidate.content, found.record)
            # Decided again after a lost race, in which nothing was written.
            candidate.decision = self._decision(content, found)
            if candidate.decision.writes:
                planned.append(self._planned(candidate.model, content, found.record))
        return planned

    def _decision(self, content: Content, existing: ExistingModel) -> Decision:
        caller, record = self._options.caller, existing.record
        found = [] if caller is None else problems(content, existing, caller)
        if reason := "; ".join(f"{field}: {problem}" for field, problem in found):
            return Decision(ImportOutcome.REJECTED, reason=reason)
        if record is None:
            return Decision(ImportOutcome.CREATED)
        if unknown := unknown_fields(record):
            # An import must not drop what others put there, and a record that has it can't be stored.
            reason = f"was written past the service, with fields that no record has: {', '.join(unknown)}"
            return Decision(ImportOutcome.REJECTED, reason=reason)
        differing = differing_fields(content, record)
        return decide_update(self._options, differing or malformed_fields(record, with_params=True))

    def _planned(self, model: ImportedModel, content: Content, record: Record | None) -> PlannedWrite:
        # Only those who are trusted may set how often a record was changed.
        least = model.version if _trusted(self._options) else 1
        return PlannedWrite(
            model.id,
            ChangeKind.IMPORT,
            record,
            complete_content(content, record, self._options.owner_id),
            created_at=content.get("created_at"),
            updated_at=content.get("updated_at"),
            version=max(least, self._revisions.get(model.id, 0) + 1),
            # The last record of the id can have been deleted since this batch was decided on.
            reuse_limited_to=reuse_limit(self._options.caller) if record is None else None,
        )

    async def _write(
        self, batch: list[_Candidate], planned: list[PlannedWrite], previous: asyncio.Task[None] | None = None
    ) -> None:
        if not self._options.dry_run:
            for attempt in range(ATTEMPTS):
                try:
                    await self._store(planned)
                    break
                except LostRaceError:
                    # Somebody else changed some of these records in between: decide again what still differs.
                    await back_off(attempt)
                    planned = await self._decide(batch)
            else:
                raise ConflictError(CONTENDED)
        if previous is not None:
            # Results are reported in the order of the source.
            await asyncio.shield(previous)
        for candidate in batch:
            if candidate.decision is not None:
                if self._options.dry_run and candidate.decision.outcome is ImportOutcome.CREATED:
                    self._created.add(_digest(candidate.model.id))
                candidate.decision.add_to(self._report, candidate.position, "model", candidate.model.id)

    async def _store(self, planned: Sequence[PlannedWrite]) -> None:
        if planned:
            await self._options.check()
            caller = self._options.caller
            await store_planned(self._database, planned, None if caller is None else caller.user_id, bulk=True)
            grants = [grant for item in planned if item.content for grant in item.content["access_grants"]]
            await self._database.after_commit(partial(revoke_absent_grants, self._database, grants))


def _digest(model_id: str) -> bytes:
    return blake2b(model_id.encode(), digest_size=12).digest()


def _trusted(options: ImportOptions) -> bool:
    return options.caller is None or options.caller.is_admin


def _content(model: ImportedModel, options: ImportOptions) -> dict[str, Any]:
    content: dict[str, Any] = {
        "base_model_id": model.base_model_id,
        "name": model.name,
        "meta": model.meta,
        "access_grants": [grant.model_dump() for grant in model.access_grants],
        "is_active": model.is_active,
    }
    # An existing record keeps its owner, unless the source names one, and its params, which an export leaves out where
    # its reader may not see them.
    if model.user_id is not None and not options.mine:
        content["user_id"] = model.user_id
    if "params" in model.model_fields_set:
        content["params"] = model.params
    times = {"created_at": model.created_at, "updated_at": model.updated_at} if _trusted(options) else {}
    return content | {field: moment for field, moment in times.items() if moment is not None}
