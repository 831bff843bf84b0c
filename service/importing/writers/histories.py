"""Importing the history of models from another system, as the revisions before their first version here."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from documents import ModelRecord, Revision
from documents.revision import ChangeKind
from service.database.client import Database
from service.database.exact_bson import Record, int64
from service.database.writes import insert_one
from service.importing.plan import Decision, ImportOptions
from service.importing.records import ImportedRevision
from service.importing.report import ImportOutcome, Report
from service.models.record import changed_fields

LATER = "the model was here before its history, and has versions of its own"
SINCE = "was made after the history of the model was imported"
GONE = "there is no such model"
DELETED = "the model was deleted here"


class HistoryWriter:
    """Writes the revisions of a source, model by model; those of one come together, the oldest first."""

    def __init__(self, database: Database, options: ImportOptions, report: Report) -> None:
        self._database = database
        self._options = options
        self._report = report
        self._model_id: str | None = None
        self._batch: list[tuple[str, ImportedRevision]] = []
        # Tells, in a dry run, whether it would have created a model.
        self.would_create: Callable[[str], bool] = lambda _: False
        # Tells whether a model was left out because it was deleted here.
        self.left_deleted: Callable[[str], bool] = lambda _: False
        # How many revisions the source has of each model; the versions that are made here follow them.
        self.counted: Counter[str] = Counter()

    def count(self, value: Any) -> None:
        """Count a revision, in the pass that comes before the models are written."""
        model_id = value.get("model_id") if isinstance(value, Mapping) else None
        if isinstance(model_id, str):
            self.counted[model_id] += 1

    async def add(self, position: str, revision: ImportedRevision) -> None:
        """Add one revision; writes when those of another model begin."""
        if revision.model_id != self._model_id:
            await self.finish()
            self._model_id = revision.model_id
        self._batch.append((position, revision))

    async def finish(self) -> None:
        """Write everything that was added."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        decisions = await self._decide(batch)
        if not self._options.dry_run:
            before: dict[str, Any] | None = None
            writes = []
            for version, (_, revision) in enumerate(batch, start=1):
                if decisions[revision.id].writes:
                    writes.append(insert_one(_stored(revision, version, before)))
                before = revision.content
            await self._database.write_many(Revision, writes)
        for position, revision in batch:
            decisions[revision.id].add_to(self._report, position, "revision", revision.id)

    async def _decide(self, batch: list[tuple[str, ImportedRevision]]) -> dict[str, Decision]:
        model_id = batch[0][1].model_id
        found = await self._database.find(Revision, {"model_id": model_id}, fields=["_id", "version"])
        versions = {revision["_id"]: revision["version"] for revision in found}
        imported = versions.keys() & {revision.id for _, revision in batch}
        # The first version that was made here.
        own = min((version for held, version in versions.items() if held not in imported), default=len(batch) + 1)
        taken = {versions[held] for held in imported}
        refusal = await self._refusal(model_id, begun=bool(imported), fits=own > len(batch))
        decisions: dict[str, Decision] = {}
        for version, (_, revision) in enumerate(batch, start=1):
            if revision.id in imported:
                decisions[revision.id] = Decision(ImportOutcome.UNCHANGED)
            elif refusal and (version >= own or version in taken or not imported):
                decisions[revision.id] = refusal
            else:
                decisions[revision.id] = Decision(ImportOutcome.CREATED)
        return decisions

    async def _refusal(self, model_id: str, *, begun: bool, fits: bool) -> Decision | None:
        """Return the decision on revisions without a free version; `begun` when others of the model were imported."""
        if self.left_deleted(model_id):
            return Decision(ImportOutcome.SKIPPED, reason=DELETED)
        exists = self.would_create(model_id) or await self._database.count(ModelRecord, {"_id": model_id})
        if not exists:
            return Decision(ImportOutcome.REJECTED, reason=GONE)
        if begun:
            # An update by an import stored what it led to.
            return Decision(ImportOutcome.SKIPPED, reason=SINCE)
        return None if fits else Decision(ImportOutcome.REJECTED, reason=LATER)


def _stored(revision: ImportedRevision, version: int, before: Mapping[str, Any] | None) -> Record:
    # Whole after each change, since later changes can't be undone back to it: the model begins with a new record.
    return {
        "_id": revision.id,
        "model_id": revision.model_id,
        "version": int64(version),
        "at": revision.at,
        "by": revision.by,
        "change": str(ChangeKind.IMPORT),
        "fields": changed_fields(before or {}, revision.content),
        "image_kept": False,
        "before": None,
        "after": dict(revision.content),
    }
