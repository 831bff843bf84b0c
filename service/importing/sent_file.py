"""The import of a file that is sent to `POST /models/import?format=…`, with the caller's rights."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from fastapi import Response

from service.auth.authentication import Caller, RightsCheck
from service.database.client import Database
from service.database.work_context import BULK_TIMEOUT_FACTOR, within_deadline, write_tracker
from service.errors import (
    MAX_ERRORS,
    ConfigurationError,
    ForbiddenError,
    InvalidInputError,
    OverdueError,
    TooLargeError,
)
from service.http.dependencies import BulkWork
from service.http.json_body import MAX_BODY_BYTES, copy_body, spool
from service.http.responses import rendered
from service.idempotency.once import BeforeCommit, Once
from service.importing.formats import SourceFormat, UnrecognisedError
from service.importing.open_source import OpenedSource, import_opened, open_sent_source
from service.importing.plan import ImportOptions, OnConflict
from service.importing.report import ImportOutcome, ImportResult, Report
from service.importing.schemas import MAX_STEPS, ImportParams, SentFormat
from service.importing.source import Bounds, Source

MAX_SOURCE_BYTES = 64_000_000
# Far more than a record can have, so that a large image can be left out and reported instead of failing the import.
MAX_VALUE_CHARACTERS = 1 << 22
# YAML takes long to parse, and in all of these formats all text is searched for secrets.
_SMALLER = {
    SourceFormat.LITELLM: MAX_BODY_BYTES,
    SourceFormat.LIBRECHAT: MAX_BODY_BYTES,
    SourceFormat.MODELFILE: MAX_BODY_BYTES,
    SourceFormat.LITELLM_PRICES: 4_000_000,
    SourceFormat.OPENAI_MODELS: 4_000_000,
    SourceFormat.OLLAMA: 4_000_000,
    SourceFormat.MODELS_DEV: 4_000_000,
}
# Each takes time, however small it is.
MAX_RECORDS, MAX_VALUES, MAX_YAML_VALUES = 100_000, 5_000_000, 100_000


async def import_sent(once: Once, params: ImportParams, work: BulkWork) -> Response:
    """Import the body of a request and return the response with the report.

    Raises InvalidInputError for a file that can't be read, and when a record of an `atomic` import can't be imported;
    UnavailableError when too many models are being changed; and RightsChangedError or UnauthorizedError when
    the caller loses rights.
    """
    if params.create_groups and not once.caller.is_admin:
        raise ForbiddenError("Only admins may have groups made.")
    with spool() as file:
        size = await copy_body(once.request, file, MAX_SOURCE_BYTES, takes_gzip=True)
        if not size:
            raise InvalidInputError([{"loc": ["body"], "msg": "must not be empty"}])

        async def imported(before_commit: BeforeCommit[dict[str, Any]]) -> dict[str, Any]:
            async def before_commit_of(report: Report) -> None:
                await before_commit(_rendered(report, sent, params))

            with work.place():
                bounds = Bounds(MAX_SOURCE_BYTES, MAX_VALUE_CHARACTERS, MAX_RECORDS, MAX_VALUES, MAX_YAML_VALUES)
                sent = await asyncio.to_thread(_opened, Source(file, size, bounds), params)
                options = replace(_options(params, once.caller, work.check), before_commit=before_commit_of)
                report = await _imported(once.context.database, sent, options)
            try:
                _require_imported(report, params)
                return _rendered(report, sent, params)
            finally:
                report.close()

        return await once.answered(imported, rendered, _names)


def _names(answer: Mapping[str, Any]) -> Iterator[str]:
    # A dry run creates nothing.
    here = {ImportOutcome.UPDATED, ImportOutcome.UNCHANGED, ImportOutcome.SKIPPED, ImportOutcome.CONFLICT}
    shown = here | (set() if answer["dry_run"] else {ImportOutcome.CREATED})
    return (step["id"] for step in answer["steps"] if step["kind"] == "model" and step["outcome"] in shown)


def _opened(source: Source, params: ImportParams) -> OpenedSource:
    wanted = None if params.format in (None, SentFormat.AUTO) else SourceFormat(params.format)
    try:
        sent = open_sent_source(source, wanted)
    except (ConfigurationError, UnrecognisedError) as error:
        raise InvalidInputError([{"loc": ["body"], "msg": error.detail}]) from None
    limit = _SMALLER.get(sent.format)
    if limit is not None and len(source.head(limit + 1)) > limit:
        raise TooLargeError(f"A file of the format {sent.format} may have {limit:,} bytes.")
    return sent


def _options(params: ImportParams, caller: Caller, check: RightsCheck) -> ImportOptions:
    return ImportOptions(
        on_conflict=OnConflict(params.on_conflict),
        owner_id=caller.user_id,
        dry_run=params.dry_run,
        atomic=params.atomic,
        create_groups=params.create_groups,
        mine=params.mine,
        most_results=MAX_STEPS,
        caller=caller,
        check=check,
    )


async def _imported(database: Database, sent: OpenedSource, options: ImportOptions) -> Report:
    seconds = within_deadline(database.timeout * BULK_TIMEOUT_FACTOR)
    try:
        async with asyncio.timeout(seconds):
            return await import_opened(database, sent, options)
    except TimeoutError:
        given_up = f"The import was given up after {seconds:.0f} seconds. "
        if not write_tracker().may_have_changed:
            raise OverdueError(given_up + "Nothing was written.") from None
        raise OverdueError(given_up + "Send it again: it goes on where it stopped.") from None


def _require_imported(report: Report, params: ImportParams) -> None:
    errors: list[dict[str, Any]] = []
    if report.fatal is not None:
        written = 0 if params.dry_run or params.atomic else report.changes
        before = f"; {written:,} records had been written before" if written else ""
        errors.append({"loc": ["body"], "msg": f"can't be read to its end: {report.fatal}{before}"})
    if params.atomic and not params.dry_run:
        shown = islice(report.faults(), MAX_ERRORS)
        errors += [{"loc": ["body", result.position], "msg": _explained(result)} for result in shown]
    if errors:
        raise InvalidInputError(errors, report.fault_count)


def _explained(result: ImportResult) -> str:
    return f"{result.kind} {result.id!r}: {result.reason}" if result.id is not None else result.reason


def _rendered(report: Report, sent: OpenedSource, params: ImportParams) -> dict[str, Any]:
    kept = list(islice(report.results() if params.dry_run else report.reported(), MAX_STEPS + 1))
    return {
        "format": sent.format,
        "reason": sent.reason,
        "dry_run": params.dry_run,
        "clean": report.clean,
        "changes": report.changes,
        "counts": report.summary(),
        "kept_out": report.total[ImportOutcome.KEPT_OUT],
        "steps": [asdict(result) for result in kept[:MAX_STEPS]],
        "left_out": report.result_count - len(kept[:MAX_STEPS]),
    }
