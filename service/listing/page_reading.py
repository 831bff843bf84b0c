"""Reads a page of the list and its total: in one call, or at the same time where counting takes long."""

from documents import ModelRecord
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.concurrently import together
from service.database.exact_bson import Record
from service.listing.counting import count_pipelines, counts_apart
from service.listing.page import Page
from service.listing.params import ListParams
from service.listing.parts import order_of
from service.listing.pipeline import Resolved, Stages, list_hint, list_match, list_pipeline
from service.listing.position import Position


async def read_page(
    database: Database, caller: Caller, params: ListParams, resolved: Resolved, *, seconds: float
) -> Page:
    """Return the page that a request asks for; each call takes at most `seconds`.

    Raises InvalidInputError for a cursor that does not fit.
    """
    position = Position.requested(params)
    match, order = list_match(params, caller, resolved), order_of(params, resolved.terms)

    async def read(counted: Stages | None) -> list[Record]:
        pipeline = list_pipeline(params, match, order, position, counted)
        return await database.aggregate(ModelRecord, pipeline, hint=list_hint(params, match, resolved), seconds=seconds)

    async def count(counted: Stages) -> int:
        found = await database.aggregate(ModelRecord, counted, seconds=seconds)
        return int(found[0]["total"]) if found else 0

    counted = [] if params.total == "none" else count_pipelines(params, caller, resolved)
    if not counted or not counts_apart(params, caller, resolved):
        return Page.of(await read(counted[0] if counted else None), params, order, position)
    async with together() as group:
        counts = [group.create_task(count(one)) for one in counted]
        found = await read(None)
        if position == Position() and len(found) <= params.page_size:
            # The page is the whole list.
            total = len(found)
            for counting in counts:
                counting.cancel()
        else:
            total = sum([await counting for counting in counts])
    return Page.of([*found, {"total": total}], params, order, position)
