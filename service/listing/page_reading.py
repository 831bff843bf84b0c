"""Reads a page of the list and its total: in one call, or at the same time where counting takes long."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain

from documents import ModelRecord
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.concurrently import together
from service.database.exact_bson import Encoded, Record
from service.listing.counting import Counts, counts, counts_apart
from service.listing.large_lists import (
    among_first,
    by_rows,
    is_searched_by_rows,
    may_suffice,
    rows_find_sooner,
    suffices,
)
from service.listing.matches import all_of
from service.listing.page import Page
from service.listing.params import ListParams
from service.listing.parts import Order, Part, order_of
from service.listing.pipeline import Resolved, Stages, in_order, list_hint, list_match, list_pipeline
from service.listing.position import Position
from service.listing.rare_finds import MAX_FINDS, Finds, are_rare, find_pipelines
from service.models.item import with_gathered_owners


@dataclass(frozen=True, slots=True)
class FoundPage:
    """What was found for a page. `counted` is the total where a call of its own has counted it."""

    encoded: Encoded
    counted: int | None
    params: ListParams
    order: Order
    position: Position

    @property
    def content(self) -> tuple[bytes, int | None]:
        """All that was found; what is made of it for one request is the same where this is the same."""
        return self.encoded.raw, self.counted

    async def page(self) -> Page:
        """Return the page."""
        yielded = with_gathered_owners(await self.encoded.decoded())
        total = [] if self.counted is None else [{"total": self.counted}]
        return Page.of([*yielded, *total], self.params, self.order, self.position)


async def read_page(
    database: Database, caller: Caller, params: ListParams, resolved: Resolved, *, seconds: float
) -> Page:
    """Return the page that a request asks for; raises as `find_page` does."""
    return await (await find_page(database, caller, params, resolved, seconds=seconds)).page()


async def find_page(
    database: Database, caller: Caller, params: ListParams, resolved: Resolved, *, seconds: float
) -> FoundPage:
    """Find the page that a request asks for; each call takes at most `seconds`.

    Raises InvalidInputError for a cursor that does not fit.
    """
    position, order = Position.requested(params), order_of(params, resolved.terms)
    reading = _Reading(database, caller, params, resolved, order, position, seconds)
    if are_rare(params, caller, resolved, position) and (rare := await reading.by_ids()) is not None:
        return rare
    pipelines, count_hint = Counts([]) if params.total == "none" else counts(params, caller, resolved)
    if not counts_apart(params, caller, resolved):
        return FoundPage(await reading.whole(pipelines[0] if pipelines else None), None, params, order, position)
    async with together() as group:
        countings = [group.create_task(reading.count(one, count_hint)) for one in pipelines]
        found = await reading.records()
        number = len(with_gathered_owners(await found.decoded()))
        if position == Position() and number <= params.page_size:
            # The page is the whole list.
            total = number
            for counting in countings:
                counting.cancel()
        else:
            total = sum([await counting for counting in countings])
    return FoundPage(found, total, params, order, position)


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

    async def whole(self, counted: Stages | None = None) -> Encoded:
        """Return the records of the page, with the total that `counted` yields, in one call."""
        wanted = self.params, self.caller, self.resolved
        if rows_find_sooner(*wanted, self.position):
            return await self._read(by_rows(*wanted, self.order), counted)
        match = list_match(self.params, self.caller, self.resolved)
        hint = list_hint(self.params, match, self.resolved)
        return await self._read(in_order(match, self.order), counted, hint)

    async def records(self) -> Encoded:
        """Return the records of the page of a list that may be large."""
        wanted = self.params, self.caller, self.resolved
        if not is_searched_by_rows(*wanted):
            return await self.whole()
        if may_suffice(*wanted, self.position):
            found = await self._read(among_first(*wanted, self.order))
            records = with_gathered_owners(await found.decoded())
            if suffices(records, self.order, self.position, self.params.page_size):
                return found
        return await self._read(by_rows(*wanted, self.order))

    async def by_ids(self) -> FoundPage | None:
        """Return the page by the ids of all that the list has; None where they do not tell it."""
        pipelines, finds_hint = find_pipelines(self.params, self.caller, self.resolved, self.order)
        async with together() as group:
            scans = [group.create_task(self._aggregate(pipeline, finds_hint)) for pipeline in pipelines]
        found = [scan.result() for scan in scans]
        # As much may be missing behind the limit.
        if any(len(one) > MAX_FINDS for one in found):
            return None
        finds = await asyncio.to_thread(Finds.of, self.order, chain.from_iterable(found))
        if finds is None:
            return None
        places = finds.following(self.position, self.params.page_size + 1)
        ids = [record_id for _, _, record_id in places]
        match = all_of({"_id": {"$in": ids}}, list_match(self.params, self.caller, self.resolved))
        page = replace(self, position=replace(self.position, skip=0))
        encoded = await page._read(in_order(match, self.order), hint="_id_")
        if not finds.are_unchanged(places, with_gathered_owners(await encoded.decoded())):
            # Something was changed meanwhile; the page may have to hold another record in its place.
            return None
        total = None if self.params.total == "none" else finds.total
        return FoundPage(encoded, total, self.params, self.order, self.position)

    async def count(self, counted: Stages, hint: str | None) -> int:
        """Return the total that a pipeline yields."""
        found = await self._aggregate(counted, hint)
        return int(found[0]["total"]) if found else 0

    async def _aggregate(self, pipeline: Stages, hint: str | None = None) -> list[Record]:
        return await self.database.aggregate(ModelRecord, pipeline, hint=hint, seconds=self.seconds)

    async def _read(
        self, records_of: Callable[[Part], Stages], counted: Stages | None = None, hint: str | None = None
    ) -> Encoded:
        pipeline = list_pipeline(self.params, self.order, self.position, records_of, counted)
        return await self.database.aggregate_encoded(ModelRecord, pipeline, hint=hint, seconds=self.seconds)
