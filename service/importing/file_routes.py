"""`POST /models/import?format=…`: what another system, or another directory, has exported, with the caller's rights."""

import asyncio
from dataclasses import asdict
from enum import StrEnum
from itertools import islice
from typing import Any, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.auth.authentication import Caller
from service.database.work_context import BULK_TIMEOUT_FACTOR, within_deadline, write_tracker
from service.errors import (
    MAX_ERRORS,
    ConfigurationError,
    ForbiddenError,
    InvalidInputError,
    OverdueError,
    TooLargeError,
)
from service.http.dependencies import Context
from service.http.json_body import MAX_BODY_BYTES, copy_body, spool
from service.importing.formats import Format
from service.importing.open_source import OpenedSource, import_opened, open_sent_source
from service.importing.plan import ImportOptions, OnConflict
from service.importing.report import ImportOutcome, ImportResult, Report
from service.importing.source import Source

MAX_SOURCE_BYTES = 64_000_000
# Far more than a record can have, so that its images can be told to stay behind.
MAX_VALUE_CHARACTERS = 1 << 22
MAX_STEPS = 10_000


class SentFormat(StrEnum):
    """What a source that is sent can be."""

    AUTO = "auto"
    MODELDECK = Format.MODELDECK.value
    OPENWEBUI = Format.OPENWEBUI.value
    LITELLM = Format.LITELLM.value
    LITELLM_PRICES = Format.LITELLM_PRICES.value


class SourceParams(BaseModel):
    """How a source that is sent shall be imported."""

    model_config = ConfigDict(frozen=True)

    format: SentFormat | None = Field(
        None,
        description="The body is a file of this format, plain or gzip; `auto` recognises it by its content.",
        examples=["openwebui"],
    )
    dry_run: bool = Field(False, description="With a format: only return the plan.")
    atomic: bool = Field(True, description="With a format: all or nothing. Otherwise, what can't go in is reported.")
    on_conflict: OnConflict = Field(
        OnConflict.UPDATE, description="With a format: what to do with a record that exists and differs."
    )
    mine: bool = Field(False, description="With a format: new models are the caller's, whatever the source says.")
    create_groups: bool = Field(
        False, description="With a format, for admins: make the groups that grants name and that do not exist."
    )

    @model_validator(mode="after")
    def _only_with_a_format(self) -> Self:
        if self.format is None and self.model_fields_set:
            raise ValueError(f"{', '.join(sorted(self.model_fields_set))}: counts only together with a format")
        return self


class SourceStepShape(BaseModel):
    """What became of one record of a source, or of a part of one."""

    outcome: ImportOutcome
    position: str = Field(description="Where it stands in the source.", examples=["models[3]"])
    kind: str = Field(examples=["model"])
    id: str | None = Field(examples=["sql-tuning"])
    fields: list[str] = Field(description="The fields that change.", examples=[["name"]])
    reason: str = Field(description="Why it, or a part of it, was not taken over.", examples=[""])


class SourceReportShape(BaseModel):
    """What an import did or, for a dry run, would do."""

    format: Format = Field(description="What the source was read as.")
    reason: str = Field(description="How that is known.", examples=["the format was named"])
    dry_run: bool
    clean: bool = Field(description="Whether all of it could be taken over.")
    changes: int = Field(description="How many records were, or would be, written.", examples=[36])
    counts: dict[str, dict[ImportOutcome, int]] = Field(examples=[{"model": {"created": 36}}])
    kept_out: int = Field(description="Parts of records that were not taken over.", examples=[0])
    steps: list[SourceStepShape] = Field(
        description=f"Of a dry run all, else those that tell of a fault; {MAX_STEPS:,} at most."
    )
    left_out: int = Field(description="How many steps there are besides.", examples=[0])


async def import_sent(request: Request, caller: Caller, context: Context, params: SourceParams) -> dict[str, Any]:
    """Import the body of a request and return the report as the API shows it.

    Raises InvalidInputError for what can't be read, and for anything that can't be taken over when all or nothing is
    asked for.
    """
    if params.create_groups and not caller.is_admin:
        raise ForbiddenError("Only admins may have groups made.")
    with spool() as file:
        size = await copy_body(request, file, MAX_SOURCE_BYTES)
        if not size:
            raise InvalidInputError([{"loc": ["body"], "msg": "must not be empty"}])
        source = Source(file, size, longest=MAX_SOURCE_BYTES, longest_value=MAX_VALUE_CHARACTERS)
        sent = await asyncio.to_thread(_opened, source, params)
        report = await _imported(context, sent, params, caller)
        try:
            _require_taken(report, params)
            return _shown(report, sent, params)
        finally:
            report.close()


def _opened(source: Source, params: SourceParams) -> OpenedSource:
    wanted = None if params.format in (None, SentFormat.AUTO) else Format(params.format)
    try:
        sent = open_sent_source(source, wanted)
    except ConfigurationError as error:
        raise InvalidInputError([{"loc": ["body"], "msg": error.detail}]) from None
    if sent.format is Format.LITELLM and len(source.head(MAX_BODY_BYTES + 1)) > MAX_BODY_BYTES:
        # YAML is read as a whole, and nobody else has a turn meanwhile.
        raise TooLargeError(f"A configuration may have {MAX_BODY_BYTES:,} bytes.")
    return sent


async def _imported(context: Context, sent: OpenedSource, params: SourceParams, caller: Caller) -> Report:
    options = ImportOptions(
        on_conflict=params.on_conflict,
        owner_id=caller.user_id,
        dry_run=params.dry_run,
        atomic=params.atomic,
        create_groups=params.create_groups,
        mine=params.mine,
        caller=caller,
    )
    seconds = within_deadline(context.database.timeout * BULK_TIMEOUT_FACTOR)
    try:
        async with asyncio.timeout(seconds):
            return await import_opened(context.database, sent, options)
    except TimeoutError:
        given_up = f"The import was given up after {seconds:.0f} seconds. "
        if not write_tracker().may_have_changed:
            raise OverdueError(given_up + "Nothing was written.") from None
        raise OverdueError(given_up + "Send it again: it goes on where it stopped.") from None


def _require_taken(report: Report, params: SourceParams) -> None:
    errors: list[dict[str, Any]] = []
    if report.fatal is not None:
        written = 0 if params.dry_run or params.atomic else report.changes
        before = f"; {written:,} records had been written before" if written else ""
        errors.append({"loc": ["body"], "msg": f"can't be read to its end: {report.fatal}{before}"})
    if params.atomic and not params.dry_run:
        shown = islice(report.faults(), MAX_ERRORS)
        errors += [{"loc": ["body", step.position], "msg": _told(step)} for step in shown]
    if errors:
        raise InvalidInputError(errors, report.fault_count)


def _told(step: ImportResult) -> str:
    return f"{step.kind} {step.id!r}: {step.reason}" if step.id is not None else step.reason


def _shown(report: Report, sent: OpenedSource, params: SourceParams) -> dict[str, Any]:
    kept = list(islice(report.results() if params.dry_run else report.reported(), MAX_STEPS + 1))
    return {
        "format": sent.format,
        "reason": sent.reason,
        "dry_run": params.dry_run,
        "clean": report.clean,
        "changes": report.changes,
        "counts": report.summary(),
        "kept_out": report.total[ImportOutcome.KEPT_OUT],
        "steps": [asdict(step) for step in kept[:MAX_STEPS]],
        "left_out": report.result_count - len(kept[:MAX_STEPS]),
    }
