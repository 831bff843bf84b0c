"""Importing models: one batch is prepared while those before it are written."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b

from documents.grant import PrincipalType
from documents.revision import ChangeKind
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import TooLargeError
from service.importing.candidate import Candidate, Hints
from service.importing.in_step import DELETED_HERE, Step, decide
from service.importing.operations import (
    ExistingModel,
    ExistingPrincipals,
    aligned_content,
    complete_content,
    find_existing,
)
from service.importing.origins import Records, deleted_by_hand
from service.importing.permission_check import problems
from service.importing.plan import Decision, ImportOptions
from service.importing.records import ImportedModel
from service.importing.report import ImportOutcome, Report
from service.importing.writers.lost_races import after_lost_race
from service.importing.writers.named_principals import NamedPrincipals
from service.models.grant_revocation import revoke_absent_grants
from service.models.record import require_storable
from service.models.record_sizes import split_by_size
from service.models.store import LostRaceError, PlannedOrigin, PlannedWrite, reuse_limit, store_planned

BATCH_RECORDS = 1000
# Through the service other requests are served meanwhile, so that batches are smaller there.
SHARED_BATCH_RECORDS = 100
BATCH_BYTES = 8_000_000
# The server has more than one core.
CONCURRENT_BATCHES = 2


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
        self._named = NamedPrincipals(database, options, report, principals)
        self._batch: list[Candidate] = []
        self._batch_bytes = 0
        self._seen: set[bytes] = set()
        self._created: set[bytes] = set()
        self._left_deleted: set[bytes] = set()
        self.records = Records(database, options)
        self._writing: list[asyncio.Task[None]] = []
        self._batch_records = BATCH_RECORDS if options.caller is None else SHARED_BATCH_RECORDS
        self._concurrent = CONCURRENT_BATCHES if options.caller is None else 1

    async def add(self, position: str, model: ImportedModel, hints: Hints) -> bool:
        """Add one model; return whether a batch was full and its writing begun."""
        self._named.name_groups(hints.group_names)
        digest = _digest(model.id)
        if digest in self._seen:
            self._report.reject(position, "model", model.id, "the id is given twice; only the first is imported")
            return False
        self._seen.add(digest)
        options = self._options
        if options.owner_id is None and (model.user_id is None or options.mine):
            self._report.reject(position, "model", model.id, "user_id: missing, and no owner was given for such models")
            return False
        candidate = Candidate.of(position, model, options, hints)
        if problem := candidate.without_unsafe_image():
            self._report.reject_part(position, "model", model.id, problem)
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

    def would_create(self, model_id: str) -> bool:
        """Return whether this is a dry run that would have created the model."""
        return _digest(model_id) in self._created

    def left_deleted(self, model_id: str) -> bool:
        """Return whether the model was left out, because it was deleted here."""
        return _digest(model_id) in self._left_deleted

    def has_seen(self, model_id: str) -> bool:
        """Return whether the source has a model of this id, whatever became of it."""
        return _digest(model_id) in self._seen

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
        if not batch:
            return
        await self.records.find(batch)
        for part in await split_by_size(self._database, batch, lambda candidate: candidate.record_id):
            await self._begin_part(part)

    async def _begin_part(self, batch: list[Candidate]) -> None:
        batch = await self._named.settle(batch)
        planned, origins = await self._decide(batch)
        await self.wait(self._concurrent - 1)
        if self._database.transacting:
            # One transaction does one thing at a time.
            await self._write(batch, planned, origins)
        else:
            previous = self._writing[-1] if self._writing else None
            self._writing.append(asyncio.create_task(self._write(batch, planned, origins, previous)))

    async def _decide(self, batch: Sequence[Candidate]) -> tuple[list[PlannedWrite], list[PlannedOrigin]]:
        existing = await find_existing(
            self._database, [candidate.record_id for candidate in batch], self._options.caller
        )
        records = [found.record for found in existing.values() if found.record is not None]
        await self._named.keep_owners(batch, records)
        absent = [candidate.model.id for candidate in batch if existing[candidate.record_id].record is None]
        deleted = set() if self._options.source is None else await deleted_by_hand(self._database, absent)
        planned: list[PlannedWrite] = []
        origins: list[PlannedOrigin] = []
        for candidate in batch:
            found = existing[candidate.record_id]
            step = self._step(candidate, found, deleted=candidate.model.id in deleted)
            # Decided again after a lost race, in which nothing was written.
            candidate.decision = step.decision
            if step.decision.writes:
                planned.append(self._planned(candidate, step, found.record))
            elif step.origin is not None and found.record is not None:
                origins.append(PlannedOrigin(found.record, step.origin))
        return planned, origins

    def _step(self, candidate: Candidate, existing: ExistingModel, *, deleted: bool) -> Step:
        caller = self._options.caller
        content = aligned_content(candidate.given, existing.record)
        found = [] if caller is None else problems(content, existing, caller)
        if reason := "; ".join(f"{field}: {problem}" for field, problem in found):
            return Step(Decision(ImportOutcome.REJECTED, reason=reason), content)
        if existing.record is None:
            # A record that came from the source has gone since it was looked for.
            candidate.record_id = candidate.model.id
        return decide(candidate, existing.record, self._options, deleted=deleted)

    def _planned(self, candidate: Candidate, step: Step, record: Record | None) -> PlannedWrite:
        # Only those who are trusted may set how often a record was changed.
        least = candidate.model.version if self._options.trusted else 1
        return PlannedWrite(
            candidate.record_id,
            ChangeKind.IMPORT,
            record,
            complete_content(step.content, record, self._options.owner_id),
            created_at=step.content.get("created_at"),
            updated_at=step.content.get("updated_at"),
            version=max(least, self._revisions.get(candidate.model.id, 0) + 1),
            # The last record of the id can have been deleted since this batch was decided on.
            reuse_limited_to=reuse_limit(self._options.caller) if record is None else None,
            origin=step.origin,
        )

    async def _write(
        self,
        batch: list[Candidate],
        planned: list[PlannedWrite],
        origins: list[PlannedOrigin],
        previous: asyncio.Task[None] | None = None,
    ) -> None:
        if not self._options.dry_run:
            try:
                await self._store(planned, origins)
            except LostRaceError:
                await after_lost_race(batch, self._decide_and_store)
        if previous is not None:
            # Results are reported in the order of the source.
            await asyncio.shield(previous)
        for candidate in batch:
            if candidate.decision is not None:
                self._add_to_report(candidate, candidate.decision)

    async def _decide_and_store(self, batch: Sequence[Candidate]) -> None:
        await self.records.find(batch)
        await self._store(*await self._decide(batch))

    def _add_to_report(self, candidate: Candidate, decision: Decision) -> None:
        if self._options.dry_run and decision.outcome is ImportOutcome.CREATED:
            self._created.add(_digest(candidate.model.id))
        if decision.reason == DELETED_HERE:
            self._left_deleted.add(_digest(candidate.model.id))
        decision.add_to(self._report, candidate.position, "model", candidate.record_id)

    async def _store(self, planned: Sequence[PlannedWrite], origins: Sequence[PlannedOrigin]) -> None:
        if planned or origins:
            await self._options.check()
            await store_planned(self._database, planned, self._options.by, bulk=True, origins=origins)
            grants = [grant for item in planned if item.content for grant in item.content["access_grants"]]
            await self._database.after_commit(partial(revoke_absent_grants, self._database, grants))


def _digest(model_id: str) -> bytes:
    return blake2b(model_id.encode(), digest_size=12).digest()
