"""Reads a page of the list and its total: in one call, or at the same time where counting takes long."""

from collections.abc import Callable
from dataclasses import dataclass

from documents import ModelRecord
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.concurrently import together
from service.database.exact_bson import Record
from service.listing.counting import count_hint, count_pipelines, counts_apart
from service.listing.large_lists import (
    among_first,
    by_rows,
    is_searched_by_rows,
    may_suffice,
    rows_find_sooner,
    suffices,
)
from service.listing.page import Page
from service.listing.params import ListParams
from service.listing.parts import Order, Part, order_of
from service.listing.pipeline import Resolved, Stages, in_order, list_hint, list_match, list_pipeline
from service.listing.position import Position


async def read_page(
    database: Database, caller: Caller, params: ListParams, resolved: Resolved, *, seconds: float
) -> Page:
    """Return the page that a request asks for; each call takes at most `seconds`.

    Raises InvalidInputError for a cursor that does not fit.
    """
    position, order = Position.requested(params), order_of(params, resolved.terms)
    reading = _Reading(database, caller, params, resolved, order, position, seconds)
    counted = [] if params.total == "none" else count_pipelines(params, caller, resolved)
    if not counts_apart(params, caller, resolved):
        return Page.of(await reading.whole(counted[0] if counted else None), params, order, position)
    async with together() as group:
        counts = [group.create_task(reading.count(one)) for one in counted]
        found = await reading.records()
        if position == Position() and len(found) <= params.page_size:
            # The page is the whole list.
            total = len(found)
            for counting in counts:
                counting.cancel()
        else:
            total = sum([await counting for counting in counts])
    return Page.of([*found, {"total": total}], params, order, position)


@dataclass(frozen=True, slots=True)
class _Reading:
    """The calls that read one page."""

    database: Database
    caller: Caller
    params: ListParams
    resolved: Resolved
    order: Order
    position: Position
    seconds: float

    async def whole(self, counted: Stages | None = None) -> list[Record]:
        """Return the records of the page, with the total that `counted` yields, in one call."""
        wanted = self.params, self.caller, self.resolved
        if rows_find_sooner(*wanted, self.position):
            return await self._read(by_rows(*wanted, self.order), counted)
        match = list_match(self.params, self.caller, self.resolved)
        hint = list_hint(self.params, match, self.resolved)
        return await self._read(in_order(match, self.order), counted, hint)

    async def records(self) -> list[Record]:
        """Return the records of the page of a list that may be large."""
        wanted = self.params, self.caller, self.resolved
        if not is_searched_by_rows(*wanted):
            return await self.whole()
        if may_suffice(*wanted, self.position):
            found = await self._read(among_first(*wanted, self.order))
            if suffices(found, self.order, self.position, self.params.page_size):
                return found
        return await self._read(by_rows(*wanted, self.order))

    async def count(self, counted: Stages) -> int:
        """Return the total that a pipeline yields."""
        hint = count_hint(self.params, self.caller, self.resolved)
        found = await self.database.aggregate(ModelRecord, counted, hint=hint, seconds=self.seconds)
        return int(found[0]["total"]) if found else 0

    async def _read(
        self, records_of: Callable[[Part], Stages], counted: Stages | None = None, hint: str | None = None
    ) -> list[Record]:
        pipeline = list_pipeline(self.params, self.order, self.position, records_of, counted)
        return await self.database.aggregate(ModelRecord, pipeline, hint=hint, seconds=self.seconds)
