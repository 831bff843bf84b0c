"""A bulk change of the models that a request selects by ids or by a filter, with a result for each model."""

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
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_matching, change_models


async def change_selected(
    database: Database, statistics: SearchStatistics, caller: Caller, selection: ModelSelection, bulk: BulkChange
) -> dict[str, Any]:
    """Apply a bulk change to every selected model; return the results as the API shows them."""
    if selection.ids is not None:
        unique = list(dict.fromkeys(selection.ids))
        return _rendered(await change_models(database, unique, bulk))
    assert selection.filter is not None  # noqa: S101  # the form requires one of the two
    query = selection.filter.query
    narrowing = statistics.narrowing(fold(query)) if query else ()
    # The filter is checked again when a record is written, since the record may have changed since it was selected.
    bulk = replace(bulk, condition={"$and": [list_match(selection.filter, caller, narrowing), bulk.condition]})
    results: list[RecordResult] = []
    complete = True
    try:
        async for batch in change_matching(database, bulk.condition, bulk):
            results += [result for result in batch if result.status is not RecordStatus.NOT_FOUND]
    except DatabaseError:
        if not results:
            raise
        # The caller must learn what was changed before the failure; the other models were not reached.
        complete = False
    return _rendered(results, complete=complete)


def _rendered(results: Iterable[RecordResult], *, complete: bool = True) -> dict[str, Any]:
    counts = dict.fromkeys(map(str, RecordStatus), 0)
    rendered = []
    for result in results:
        counts[result.status] += 1
        fields = asdict(result)
        rendered.append({"id": fields.pop("model_id"), **fields})
    return {"results": rendered, "counts": counts, "complete": complete}
