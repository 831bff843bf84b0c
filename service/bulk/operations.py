"""Which models a request for many of them is about, and what became of each."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from documents.folding import fold
from service.auth.authentication import Caller
from service.bulk.schemas import ModelSelection
from service.database.client import Database
from service.database.errors import DatabaseError
from service.listing.pipeline import list_match
from service.listing.search_statistics import SearchStatistics
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_each, change_where


async def change_selected(
    database: Database, statistics: SearchStatistics, caller: Caller, selection: ModelSelection, wish: BulkChange
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
