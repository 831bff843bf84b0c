"""The import engine: reads a source twice, first its users and groups, then the rest, and writes what differs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from documents.grant import PrincipalType
from service.database.client import Database
from service.database.locks import create_lock
from service.errors import RightsChangedError, UnauthorizedError, invalid_input
from service.importing.candidate import Hints
from service.importing.plan import ImportOptions
from service.importing.records import (
    MAX_RECORD_VALUES,
    ImportedApiKey,
    ImportedGroup,
    ImportedModel,
    ImportedRevision,
    ImportedUser,
    has_more_values,
)
from service.importing.report import ImportOutcome, Report, printable
from service.importing.siblings import Siblings
from service.importing.source import NOTE, Item, SourceError
from service.importing.writers.api_keys import ApiKeyWriter
from service.importing.writers.groups import GroupWriter
from service.importing.writers.histories import HistoryWriter
from service.importing.writers.models import ModelWriter
from service.importing.writers.pruning import UNREADABLE, Pruning
from service.importing.writers.users import UserWriter

RECORD_TYPES: dict[str, type[BaseModel]] = {
    "user": ImportedUser,
    "group": ImportedGroup,
    "model": ImportedModel,
    "api_key": ImportedApiKey,
    "revision": ImportedRevision,
}
NOT_ATOMIC = "nothing was written, since not everything could be"
ONLY_ADMINS = "only admins may import users and groups"
_PRINCIPALS = ("user", "group")
_PEOPLE = (*_PRINCIPALS, "api_key")
# Inside the service, so many records are read at once, unless that takes too long: other requests wait meanwhile.
_CHUNK, _CHUNK_SECONDS = 50, 0.02

T = TypeVar("T")
Items = Callable[[], Iterator[Item]]
Progress = Callable[[int], None]


class _NotCleanError(Exception):
    """Not everything could be imported, so the transaction is rolled back."""

    def __init__(self, report: Report) -> None:
        super().__init__(NOT_ATOMIC)
        self.report = report


async def run_import(
    database: Database, items: Items, options: ImportOptions, progress: Progress = lambda _: None
) -> Report:
    """Import what `items` yields, each time that it is called, and return the report.

    `progress` is called now and then with the number of records that are done. A source that can't be read to its
    end is noticed in the first pass, before any model is written. After an interruption the same import is run again:
    it continues where it stopped, since records that exist and do not differ are not written.
    """
    if not options.atomic or options.dry_run:
        return await _Run(database, items, options, progress).run()

    reports: list[Report] = []

    async def whole() -> Report:
        # Those of earlier attempts.
        _close(reports)
        reports[:] = [await _Run(database, items, options, progress).run()]
        if not reports[0].clean:
            raise _NotCleanError(reports[0])
        await options.check()
        await options.before_commit(reports[0])
        return reports[0]

    await create_lock(database)
    try:
        return await database.in_transaction(whole, bulk=True)
    except _NotCleanError as error:
        error.report.undone = NOT_ATOMIC
        return error.report
    except BaseException:
        # It may also be the commit that has failed.
        _close(reports)
        raise


def _close(reports: list[Report]) -> None:
    while reports:
        reports.pop().close()


def check(item: Item) -> BaseModel | str:
    """Return the record of an item, or the problem that it has."""
    if item.problem is not None:
        return item.problem
    if not isinstance(item.value, dict):
        return "must be a JSON object"
    if item.kind not in _PRINCIPALS and has_more_values(item.value, MAX_RECORD_VALUES):
        return f"has more than {MAX_RECORD_VALUES:,} values, which can't be stored"
    try:
        return RECORD_TYPES[item.kind].model_validate(item.value)
    except ValidationError as error:
        return invalid_input(error).detail


def _is_of_people(item: Item) -> bool:
    return item.kind in _PEOPLE


def _chunk(items: Iterator[T]) -> Iterator[T]:
    """Yield the next items, fewer if they are large and take long to read."""
    until = time.monotonic() + _CHUNK_SECONDS
    for item in islice(items, _CHUNK):
        yield item
        if time.monotonic() > until:
            return


class _Run:
    """One import: a writer for each kind of record, and the report that they share."""

    def __init__(self, database: Database, items: Items, options: ImportOptions, progress: Progress) -> None:
        self._items = (lambda: filter(_is_of_people, items())) if options.only_people else items
        self._options = options
        self._progress = progress
        self._refused = self._models_to_come = 0
        self._report = Report(whole=options.whole_report or options.dry_run, most=options.most_results)
        self._users = UserWriter(database, options, self._report)
        self._groups = GroupWriter(database, options, self._report)
        self._histories = HistoryWriter(database, options, self._report)
        principals = {PrincipalType.USER: self._users.existing, PrincipalType.GROUP: self._groups.existing}
        self._models = ModelWriter(database, options, self._report, principals, self._histories.counted)
        self._histories.would_create = self._models.would_create
        self._histories.left_deleted = self._models.left_deleted
        self._siblings = Siblings(database, options, self._models.records)
        self._pruning = Pruning(database, options, self._report, self._models.has_seen)
        self._api_keys = ApiKeyWriter(database, options, self._report, self._users.existing)

    async def run(self) -> Report:
        prunes = self._options.prune is not None
        try:
            if prunes:
                await self._pruning.begin()
            await self._import_principals()
            await self._options.before_models(self._models_to_come)
            await self._import_rest()
            if prunes:
                await self._pruning.run()
        except SourceError as error:
            self._report.fatal = printable(error.detail)
            self._report.not_pruned = UNREADABLE if prunes else None
            await self._models.wait()
        except (UnauthorizedError, RightsChangedError) as error:
            await self._models.cancel()
            changes = self._report.changes
            self._report.close()
            if not changes or self._options.atomic:
                raise
            raise RightsChangedError(f"{changes:,} records had been written before.") from error
        except BaseException:
            await self._models.cancel()
            self._report.close()
            raise
        return self._report

    async def _import_principals(self) -> None:
        # Items of an unknown kind are reported in this pass, and other kinds in the next.
        async for item, found in self._checked_items(
            lambda kind: kind in _PRINCIPALS or kind not in (*RECORD_TYPES, NOTE)
        ):
            self._models_to_come += item.kind == "model"
            if item.kind == "revision":
                self._histories.count(item.value)
            if item.sibling is not None:
                self._siblings.expect(item)
            elif item.kind == "model":
                self._models.records.expect(item.value)
            if found is None or (record := self._valid(item, found)) is None:
                continue
            if item.kind == "user":
                await self._users.add(item.position, record)
            else:
                self._groups.add(item.position, record)
        await self._users.finish()
        await self._groups.finish(self._users.existing)
        await self._siblings.number()

    async def _import_rest(self) -> None:
        async for item, found in self._checked_items(lambda kind: kind in RECORD_TYPES and kind not in _PRINCIPALS):
            if item.kind == NOTE:
                self._note(item)
                continue
            self._report.seen += 1
            if found is None or (record := self._valid(item, found)) is None:
                continue
            if item.kind == "api_key":
                await self._api_keys.add(item.position, record)
            elif item.kind == "revision":
                # A revision can be stored only after its model.
                await self._models.finish()
                await self._histories.add(item.position, record)
            else:
                self._pruning.count()
                hints = Hints(item.former_id, item.group_names, item.users_there)
                if await self._models.add(item.position, record, hints):
                    self._progress(self._report.seen)
        await self._models.finish()
        await self._histories.finish()
        self._progress(self._report.seen)

    async def _checked_items(self, wanted: Callable[[str], bool]) -> AsyncIterator[tuple[Item, BaseModel | str | None]]:
        """Yield all items, those of the wanted kinds checked."""
        found = map(self._siblings.resolved, self._items())
        items = ((item, self._check(item) if wanted(item.kind) else None) for item in found)
        if self._options.caller is None:
            for item in items:
                yield item
            return
        # In a thread, since the service answers other requests meanwhile.
        while chunk := await asyncio.to_thread(lambda: list(_chunk(items))):
            for item in chunk:
                yield item

    def _check(self, item: Item) -> BaseModel | str:
        caller = self._options.caller
        refused = caller is not None and not caller.is_admin and item.kind in RECORD_TYPES and item.kind != "model"
        checked = ONLY_ADMINS if refused else check(item)
        self._refused += isinstance(checked, str)
        if self._options.most_results is not None and self._refused > self._options.most_results:
            # To say what is wrong with a record takes longer than to read it.
            raise SourceError(f"{item.position}: more than {self._options.most_results:,} records can't be imported")
        return checked

    def _valid(self, item: Item, checked: BaseModel | str) -> Any:
        record_id = self._note(item)
        if isinstance(checked, str):
            self._report.reject(item.position, item.kind, record_id, checked)
            if item.kind == "model" or item.kind not in RECORD_TYPES:
                self._pruning.count_rejected(item.position, record_id, unread=item.problem is not None)
            return None
        for reason in item.kept_out:
            self._report.reject_part(item.position, item.kind, record_id, reason)
        return checked

    def _note(self, item: Item) -> Any:
        """Report the notes of an item, and return the id of its record."""
        record_id = item.value.get("id") if isinstance(item.value, dict) else None
        kind = "model" if item.kind == NOTE else item.kind
        for note in item.notes:
            self._report.add(ImportOutcome.NOTE, item.position, kind, record_id, reason=note)
        return record_id
