"""Which models a request for many of them is about, and what became of each."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

from pydantic import BaseModel, Field

from documents.folding import fold
from service.bulk.forms import SelectionForm
from service.context import Context
from service.identity import Caller
from service.listing.pipeline import list_match
from service.models.each import Outcome, Status, Wish, change_each, change_where
from service.mongo_errors import DatabaseError


class ResultShape(BaseModel):
    """What became of one model."""

    id: str = Field(examples=["sql-tuning"])
    status: Status = Field(description="`not_found`: absent, or not the caller's to change.")
    version: int | None = Field(description="The version that it has now.", examples=[4])
    detail: str | None = Field(description="Why it failed.", examples=[None])


class OutcomesShape(BaseModel):
    """What became of every model."""

    results: list[ResultShape] = Field(description="In the order of `ids`; with a filter, in order of id.")
    counts: dict[Status, int] = Field(
        description="How many there are of each status.",
        examples=[{status: int(not at) for at, status in enumerate(Status)}],
    )


async def change_selected(context: Context, caller: Caller, selection: SelectionForm, wish: Wish) -> dict[str, Any]:
    """Make a wish of the caller's come true for every selected model; return the results as the API shows them."""
    if selection.ids is not None:
        unique = list(dict.fromkeys(selection.ids))
        return _shown(await change_each(context.database, unique, wish))
    assert selection.filter is not None  # noqa: S101  # the form requires one of the two
    query = selection.filter.query
    narrowing = context.selectivity.latest.narrowing(fold(query)) if query else ()
    # Looked at again when a record is written: it need not be selected any more.
    wish = replace(wish, allowed={"$and": [list_match(selection.filter, caller, narrowing), wish.allowed]})
    outcomes: list[Outcome] = []
    complete = True
    try:
        async for batch in change_where(context.database, wish.allowed, wish):
            outcomes += [outcome for outcome in batch if outcome.status is not Status.NOT_FOUND]
    except DatabaseError:
        if not outcomes:
            raise
        # What was changed before must be told; the rest was not reached.
        complete = False
    return _shown(outcomes, complete=complete)


def _shown(outcomes: Iterable[Outcome], *, complete: bool = True) -> dict[str, Any]:
    counts = dict.fromkeys(map(str, Status), 0)
    results = []
    for outcome in outcomes:
        counts[outcome.status] += 1
        shown = asdict(outcome)
        results.append({"id": shown.pop("model_id"), **shown})
    return {"results": results, "counts": counts, "complete": complete}
