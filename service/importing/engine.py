"""The import engine: goes through a source twice, people first, then models and the rest, and writes what differs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from documents.grant import PrincipalType
from service.database.client import Database
from service.database.locks import create_lock
from service.errors import invalid_input
from service.importing.plan import ImportOptions
from service.importing.records import ImportedApiKey, ImportedGroup, ImportedModel, ImportedRevision, ImportedUser
from service.importing.report import ImportOutcome, Report, printable
from service.importing.source import Item, SourceError
from service.importing.writers.api_keys import ApiKeyWriter
from service.importing.writers.groups import GroupWriter
from service.importing.writers.histories import HistoryWriter
from service.importing.writers.models import ModelWriter
from service.importing.writers.users import UserWriter

INPUTS: dict[str, type[BaseModel]] = {
    "user": ImportedUser,
    "group": ImportedGroup,
    "model": ImportedModel,
    "key": ImportedApiKey,
    "revision": ImportedRevision,
}
NOT_ATOMIC = "nothing was written, since not all of it could be"
ONLY_ADMINS = "only admins may import people"
_PEOPLE = ("user", "group")
# So many records are read at once where others wait for their turns, unless that takes too long.
_TURN, _TURN_SECONDS = 50, 0.02

T = TypeVar("T")
Items = Callable[[], Iterator[Item]]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Checked:
    """A record that is valid by itself."""

    position: str
    value: Any


class _NotCleanError(Exception):
    """Not everything went in, so nothing may."""

    def __init__(self, report: Report) -> None:
        super().__init__(NOT_ATOMIC)
        self.report = report


async def run_import(
    database: Database, items: Items, options: ImportOptions, progress: Progress = lambda _: None
) -> Report:
    """Import what `items` yields, each time that it is called, and return the report.

    `progress` is told, now and then, how many records have been dealt with. A source that can't be read to
    its end is found out in the first pass, before any model is written. An interrupted import is run again:
    it goes on where it stopped, since what is there already is left as it is.
    """
    if not options.atomic or options.dry_run:
        return await _Run(database, items, options, progress).run()

    async def whole() -> Report:
        report = await _Run(database, items, options, progress).run()
        if not report.clean:
            raise _NotCleanError(report)
        return report

    await create_lock(database)
    try:
        return await database.in_transaction(whole, bulk=True)
    except _NotCleanError as error:
        error.report.undone = NOT_ATOMIC
        return error.report


def check(item: Item) -> Checked | str:
    """Return the checked record of an item, or what is wrong with it."""
    if item.problem is not None:
        return item.problem
    if not isinstance(item.value, dict):
        return "must be a JSON object"
    try:
        return Checked(item.position, INPUTS[item.kind].model_validate(item.value))
    except ValidationError as error:
        return invalid_input(error).detail


def _some(items: Iterator[T]) -> Iterator[T]:
    """Yield as many as one turn may take; large ones are few, since they are in memory together."""
    until = time.monotonic() + _TURN_SECONDS
    for item in islice(items, _TURN):
        yield item
        if time.monotonic() > until:
            return


class _Run:
    """One import: the parts, each for one kind of record, and the report that they share."""

    def __init__(self, database: Database, items: Items, options: ImportOptions, progress: Progress) -> None:
        self._items = items
        self._options = options
        self._progress = progress
        self._report = Report(whole=options.whole_report or options.dry_run)
        self._users = UserWriter(database, options, self._report)
        self._groups = GroupWriter(database, options, self._report)
        self._histories = HistoryWriter(database, options, self._report)
        known = {PrincipalType.USER: self._users.known, PrincipalType.GROUP: self._groups.known}
        self._models = ModelWriter(database, options, self._report, known, self._histories.expected)
        self._histories.made = self._models.made
        self._keys = ApiKeyWriter(database, options, self._report, self._users.known)

    async def run(self) -> Report:
        try:
            await self._people()
            await self._rest()
        except SourceError as error:
            self._report.fatal = printable(error.detail)
            await self._models.written()
        except BaseException:
            await self._models.abandon()
            self._report.close()
            raise
        return self._report

    async def _people(self) -> None:
        # What is no record at all is reported in this pass; the others wait for the next.
        async for item, found in self._in_turns(lambda kind: kind in _PEOPLE or kind not in INPUTS):
            if item.kind == "revision":
                self._histories.expect(item.value)
            if found is None or (checked := self._taken(item, found)) is None:
                continue
            if item.kind == "user":
                await self._users.add(checked.position, checked.value)
            else:
                self._groups.add(checked.position, checked.value)
        await self._users.finish()
        await self._groups.finish(self._users.known)

    async def _rest(self) -> None:
        async for item, found in self._in_turns(lambda kind: kind in INPUTS and kind not in _PEOPLE):
            self._report.seen += 1
            if found is None or (checked := self._taken(item, found)) is None:
                continue
            if item.kind == "key":
                await self._keys.add(checked.position, checked.value)
            elif item.kind == "revision":
                # The models that it is about come first.
                await self._models.finish()
                await self._histories.add(checked.position, checked.value)
            elif await self._models.add(checked.position, checked.value):
                self._progress(self._report.seen)
        await self._models.finish()
        await self._histories.finish()
        self._progress(self._report.seen)

    async def _in_turns(self, wanted: Callable[[str], bool]) -> AsyncIterator[tuple[Item, Checked | str | None]]:
        """Yield all items, those of the wanted kinds checked."""
        items = ((item, self._check(item) if wanted(item.kind) else None) for item in self._items())
        if self._options.caller is None:
            for item in items:
                yield item
            return
        # Reading and checking take time, in which a service has others to answer.
        while turn := await asyncio.to_thread(lambda: list(_some(items))):
            for item in turn:
                yield item

    def _check(self, item: Item) -> Checked | str:
        caller = self._options.caller
        refused = caller is not None and not caller.is_admin and item.kind in INPUTS and item.kind != "model"
        return ONLY_ADMINS if refused else check(item)

    def _taken(self, item: Item, checked: Checked | str) -> Checked | None:
        record_id = item.value.get("id") if isinstance(item.value, dict) else None
        for note in item.notes:
            self._report.add(ImportOutcome.NOTE, item.position, item.kind, record_id, reason=note)
        if isinstance(checked, str):
            self._report.reject(item.position, item.kind, record_id, checked)
            return None
        return checked
