"""The import engine: reads a source twice, people first, then models, and writes what differs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from service.database import Database
from service.errors import invalid_input
from service.migration.groups import GroupImport
from service.migration.models import ModelImport
from service.migration.options import ImportOptions
from service.migration.people import UserImport
from service.migration.records import GroupInput, ModelInput, UserInput
from service.migration.report import Report
from service.migration.source import Item, Source, SourceError

INPUTS: dict[str, type[BaseModel]] = {"user": UserInput, "group": GroupInput, "model": ModelInput}

Reader = Callable[[Source], Iterator[Item]]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Checked:
    """A record that is valid by itself."""

    position: str
    value: Any


async def run_import(
    database: Database,
    source: Source,
    reader: Reader,
    options: ImportOptions,
    progress: Progress = lambda _: None,
) -> Report:
    """Import a source and return the report of it.

    `progress` is told, now and then, how many records have been dealt with. A file that can't be read to
    its end is found out in the first pass, before any model is written. An interrupted import is run again:
    it goes on where it stopped, since what is there already is left as it is.
    """
    report = Report(whole=options.whole_report or options.dry_run)
    try:
        users = UserImport(database, options, report)
        groups = GroupImport(database, options, report)
        await _people(source, reader, users, groups, report)
        models = ModelImport(database, options, report, users.known, groups.known)
        await _models(source, reader, models, report, progress)
    except SourceError as error:
        report.fatal = error.detail
    return report


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


def _reject(report: Report, item: Item, reason: str) -> None:
    record_id = item.value.get("id") if isinstance(item.value, dict) else None
    report.reject(item.position, item.kind, record_id, reason)


async def _people(source: Source, reader: Reader, users: UserImport, groups: GroupImport, report: Report) -> None:
    # What is no record at all is reported in this pass; models wait for the next.
    for item in reader(source):
        if item.kind == "model":
            continue
        checked = check(item)
        if isinstance(checked, str):
            _reject(report, item, checked)
        elif item.kind == "user":
            await users.add(checked.position, checked.value)
        else:
            groups.add(checked.position, checked.value)
    await users.finish()
    await groups.finish(users.known)


async def _models(source: Source, reader: Reader, models: ModelImport, report: Report, progress: Progress) -> None:
    for item in reader(source):
        report.seen += 1
        if item.kind != "model":
            continue
        checked = check(item)
        if isinstance(checked, str):
            _reject(report, item, checked)
        elif await models.add(checked.position, checked.value):
            progress(report.seen)
    await models.finish()
    progress(report.seen)
