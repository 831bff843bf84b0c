"""`modeldeck import`: a source, the engine, a progress bar and a report."""

import sys
from dataclasses import dataclass
from pathlib import Path

from service.database import Database
from service.errors import InvalidInputError
from service.migration.apply import run_import
from service.migration.bundle import read_bundle
from service.migration.options import ImportOptions, OnConflict
from service.migration.report import Outcome, Report
from service.migration.source import open_source
from service.people.users import find_user
from service.progress import progress

FORMATS = ("auto", "modeldeck")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What was asked on the command line."""

    source: str
    format: str
    owner: str | None
    dry_run: bool
    on_conflict: OnConflict
    report: Path | None


async def run_command(database: Database, request: ImportRequest) -> bool:
    """Import, print the report, and say whether everything was taken over."""
    if request.format not in FORMATS:
        raise InvalidInputError([{"loc": ["--format"], "msg": f"must be one of {', '.join(FORMATS)}"}])
    owner = await find_user(database, request.owner) if request.owner is not None else None
    options = ImportOptions(
        request.on_conflict, owner.id if owner else None, request.dry_run, whole_report=request.report is not None
    )
    with open_source(request.source) as source:
        size = max(source.size, 1)
        with progress("imported", lambda: min(source.tell() / size, 1.0)) as tell:
            report = await run_import(database, source, read_bundle, options, tell)
    try:
        _print(report, dry_run=request.dry_run)
        if request.report is not None:
            report.write(request.report)
        return report.clean
    finally:
        report.close()


def _print(report: Report, *, dry_run: bool) -> None:
    for step in report.steps() if dry_run else report.told():
        print(step)
    for kind, counts in report.summary().items():
        print(f"{kind}s: {', '.join(f'{count:,} {outcome}' for outcome, count in counts.items())}")
    if kept_out := report.total[Outcome.KEPT_OUT]:
        print(f"{kept_out:,} parts kept out of records that were taken over")
    print(f"{report.changes:,} changes{', had this not been a dry run' if dry_run else ''}")
    if report.fatal is not None:
        print(f"modeldeck: the source can't be read to its end: {report.fatal}", file=sys.stderr)
