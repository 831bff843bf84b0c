"""Which models a request for many of them is about, and what became of each."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from pydantic import BaseModel, Field

from documents.folding import fold
from service.auth.authentication import Caller
from service.bulk.schemas import SelectionForm
from service.database.client import Database
from service.database.errors import DatabaseError
from service.listing.pipeline import list_match
from service.listing.search_statistics import SearchStatistics
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_each, change_where


class ResultShape(BaseModel):
    """What became of one model."""

    id: str = Field(examples=["sql-tuning"])
    status: RecordStatus = Field(description="`not_found`: absent, or not the caller's to change.")
    version: int | None = Field(description="The version that it has now.", examples=[4])
    detail: str | None = Field(description="Why it failed.", examples=[None])


class OutcomesShape(BaseModel):
    """What became of every model."""

    results: list[ResultShape] = Field(description="In the order of `ids`; with a filter, in order of id.")
    counts: dict[RecordStatus, int] = Field(
        description="How many there are of each status.",
        examples=[{status: int(not at) for at, status in enumerate(RecordStatus)}],
    )


async def change_selected(
    database: Database, statistics: SearchStatistics, caller: Caller, selection: SelectionForm, wish: BulkChange
) -> dict[str, Any]:
    """Make a wish of the caller's come true for every selected model; return the results as the API shows them."""
    if selection.ids is not None:
        unique = list(dict.fromkeys(selection.ids))
        return _shown(await change_each(database, unique, wish))
    assert selection.filter is not None  # noqa: S101  # the form requires one of the two
    query = selection.filter.query
    narrowing = statistics.narrowing(fold(query)) if query else ()
    # Looked at again when a record is written: it need not be selected any more.
    wish = replace(wish, allowed={"$and": [list_match(selection.filter, caller, narrowing), wish.allowed]})
    outcomes: list[RecordResult] = []
    complete = True
    try:
        async for batch in change_where(database, wish.allowed, wish):
            outcomes += [outcome for outcome in batch if outcome.status is not RecordStatus.NOT_FOUND]
    except DatabaseError:
        if not outcomes:
            raise
        # What was changed before must be told; the rest was not reached.
        complete = False
    return _shown(outcomes, complete=complete)


def _shown(outcomes: Iterable[RecordResult], *, complete: bool = True) -> dict[str, Any]:
    counts = dict.fromkeys(map(str, RecordStatus), 0)
    results = []
    for outcome in outcomes:
        counts[outcome.status] += 1
        shown = asdict(outcome)
        results.append({"id": shown.pop("model_id"), **shown})
    return {"results": results, "counts": counts, "complete": complete}
