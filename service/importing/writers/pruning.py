"""Retiring the models that have gone from a source: they become inactive or, when asked for, are deleted."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from documents import ModelRecord
from documents.revision import ChangeKind
from service.database.client import Database
from service.database.exact_bson import Record
from service.importing.deletion_guard import allows
from service.importing.in_step import MALFORMED, UNKNOWN_DIGEST
from service.importing.operations import batches
from service.importing.plan import Decision, ImportOptions, OnConflict, Prune
from service.importing.report import ImportOutcome, Report
from service.importing.writers.lost_races import after_lost_race
from service.models.fingerprints import Fingerprints, field_print
from service.models.origin import MALFORMED_ORIGIN, new_origin, origin_of
from service.models.record import CONTENT_FIELDS
from service.models.record_sizes import split_by_size
from service.models.shape_check import malformed_fields
from service.models.store import ORIGIN, LostRaceError, PlannedOrigin, PlannedWrite, store_planned

BATCH, KEYS = 100, 1000
GONE = "is gone from the source"
RETIRED = f"retired: {GONE}"
STAYS_ACTIVE, IS_INACTIVE = (
    f"{GONE}; stays active, as decided here",
    "is gone; is inactive here already",
)
CHANGED_HERE = f"{GONE}, but was changed here; --on-conflict update deletes it"
NOTHING = "nothing was retired, since"
NO_MODELS = f"{NOTHING} the source has no models"
UNREADABLE = f"{NOTHING} the source can't be read to its end"


@dataclass(frozen=True, slots=True)
class _Step:
    """What is done with one record: the decision, and its new origin, None to leave it or to delete the record."""

    decision: Decision
    origin: Record | None = None


class Pruning:
    """Finds what has gone from a source once all of it was read, and retires it."""

    def __init__(self, database: Database, options: ImportOptions, report: Report, seen: Callable[[str], bool]) -> None:
        """`seen` tells whether the source has a model of this id."""
        self._database = database
        self._options = options
        self._prune = options.prune or Prune()
        self._report = report
        self._seen = seen
        self._models = 0
        self._unknown: str | None = None
        self._rejected: set[str] = set()
        self._rejected_names: set[bytes] = set()
        self._existing = 0

    async def begin(self) -> None:
        """Count the records of the source before any of it is written."""
        self._existing = await self._database.count(ModelRecord, {"origin.source": self._options.source})

    def count(self) -> None:
        """Count one model of the source that can be imported."""
        self._models += 1

    def count_rejected(self, position: str, model_id: object, *, unread: bool) -> None:
        """Count one that can't be imported: it has not gone. `unread` if the reader made no record of it.

        The id of a record that was not made is only the name in the source. For example, a reader that makes the id
        `gpt-4o-0123` of the name `gpt-4o` reports a broken entry as `gpt-4o`. So models of that name have not gone.
        """
        if not isinstance(model_id, str):
            self._unknown = self._unknown or position
            return
        self._models += 1
        self._rejected.add(model_id)
        if unread:
            self._rejected_names.add(field_print("name", model_id))

    async def run(self) -> None:
        """Retire what has gone, or say in the report why nothing was retired."""
        reason: str | None = None
        if self._unknown is not None:
            reason = f"{NOTHING} {self._unknown} can't be told from what may have gone"
        elif not self._models:
            reason = NO_MODELS
        else:
            gone = await self._gone()
            reason = await self._too_many(gone) if self._prune.delete else None
            if reason is None:
                async for part in self._parts(gone):
                    await self._retire(part)
        self._report.not_pruned = reason

    async def _gone(self) -> list[str]:
        """Return the ids of the records of models that have gone."""
        gone: list[str] = []
        after = ""
        while True:
            query = {"origin.source": self._options.source, "origin.key": {"$gt": after}}
            found = await self._database.find(
                ModelRecord, query, fields=[ORIGIN], sort=[("origin.source", 1), ("origin.key", 1)], limit=KEYS
            )
            gone += [record["_id"] for record in found if not self._is_there(record)]
            if len(found) < KEYS:
                return gone
            after = found[-1][ORIGIN]["key"]

    def _is_there(self, record: Record) -> bool:
        try:
            origin = origin_of(record)
        except ValueError:
            return False
        if origin is None or self._seen(origin.key) or origin.key in self._rejected:
            return True
        return origin.said is not None and origin.said.gave_one_of(self._rejected_names)

    async def _too_many(self, gone: Sequence[str]) -> str | None:
        deletions = 0
        async for part in self._parts(gone):
            deletions += sum(self._step(record).decision.writes for record in await self._read(part))
        if allows(self._prune.max_deletions, deletions, self._existing):
            return None
        return (
            f"nothing was deleted: {deletions:,} of {self._existing:,} models of the source would be; at most "
            f"{self._prune.max_deletions} may be (--max-deletions)"
        )

    async def _parts(self, ids: Sequence[str]) -> AsyncIterator[list[str]]:
        for batch in batches(ids, BATCH):
            for part in await split_by_size(self._database, batch, str):
                yield part

    async def _read(self, ids: Sequence[str]) -> list[Record]:
        query = {"_id": {"$in": list(ids)}, "origin.source": self._options.source}
        return await self._database.find(ModelRecord, query, sort=[("_id", 1)])

    async def _retire(self, ids: Sequence[str]) -> None:
        done: dict[str, _Step] = {}

        async def retire(part: Sequence[str]) -> None:
            steps = [(record, self._step(record)) for record in await self._read(part)]
            if not self._options.dry_run:
                await self._store(steps)
            done.update((record["_id"], step) for record, step in steps)

        try:
            await retire(ids)
        except LostRaceError:
            await after_lost_race(ids, retire)
        for model_id, step in sorted(done.items()):
            # What was retired before needs no mention.
            if step.decision.reason:
                position = f"source {self._options.source}"
                step.decision.add_to(self._report, position, "model", model_id)

    async def _store(self, steps: Sequence[tuple[Record, _Step]]) -> None:
        planned = [_planned(record, step) for record, step in steps if step.decision.writes]
        origins = [
            PlannedOrigin(record, step.origin)
            for record, step in steps
            if step.origin is not None and not step.decision.writes
        ]
        if planned or origins:
            await store_planned(self._database, planned, None, bulk=True, origins=origins)

    def _step(self, record: Record) -> _Step:
        try:
            origin = origin_of(record)
        except ValueError:
            origin = None
        if origin is None:
            return _Step(Decision(ImportOutcome.CONFLICT, reason=MALFORMED_ORIGIN))
        file_wins = self._options.on_conflict is OnConflict.UPDATE
        if origin.said is None and not file_wins:
            return _Step(Decision(ImportOutcome.CONFLICT, reason=f"{GONE}, but {UNKNOWN_DIGEST}"))
        malformed = malformed_fields(record, with_params=True)
        if malformed and not (self._prune.delete and file_wins):
            return _Step(Decision(ImportOutcome.CONFLICT, reason=f"{MALFORMED}: {', '.join(malformed)}"))
        if self._prune.delete:
            if file_wins or (origin.said is not None and origin.said.describes(record)):
                return _Step(Decision(ImportOutcome.DELETED, reason=GONE))
            return _Step(Decision(ImportOutcome.CONFLICT, reason=CHANGED_HERE))
        said = origin.said or Fingerprints.of(record)
        return self._retirement(record, origin.key, said, file_wins=file_wins)

    def _retirement(self, record: Record, key: str, said: Fingerprints, *, file_wins: bool) -> _Step:
        # Somebody who activates it again, or makes it active against the source, decides that it stays so.
        as_said = said.matches(("is_active",), True) and not said.retired
        retires = record["is_active"] and (as_said or file_wins)
        if said.retired and not retires:
            return self._reactivated(record, key, said)
        origin = new_origin(self._options.source or "", key, said.as_retired(inactive=retires))
        if retires:
            return _Step(Decision(ImportOutcome.UPDATED, ["is_active"], RETIRED), origin)
        reason = STAYS_ACTIVE if record["is_active"] else IS_INACTIVE
        return _Step(Decision(ImportOutcome.UNCHANGED, reason=reason), origin)

    def _reactivated(self, record: Record, key: str, said: Fingerprints) -> _Step:
        """Remember that a retired model was made active here: its state is a decision of people from then on."""
        if not record["is_active"] or not said.made_inactive:
            return _Step(Decision(ImportOutcome.UNCHANGED))
        origin = new_origin(self._options.source or "", key, said.as_reactivated())
        return _Step(Decision(ImportOutcome.UNCHANGED), origin)


def _planned(record: Record, step: _Step) -> PlannedWrite:
    content = None
    if step.decision.outcome is ImportOutcome.UPDATED:
        content = {**{field: record[field] for field in CONTENT_FIELDS}, "is_active": False}
    return PlannedWrite(record["_id"], ChangeKind.IMPORT, record, content, origin=step.origin)
