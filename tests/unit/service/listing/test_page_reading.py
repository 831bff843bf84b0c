"""A page and its total, read at the same time."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Encoded
from service.errors import BusyError
from service.listing.page import Page
from service.listing.page_reading import read_page
from service.listing.params import ListParams
from service.listing.pipeline import Resolved
from service.listing.search_statistics import SearchStatistics

ROOT = Caller("root", is_admin=True, principals=frozenset({"user:root"}))
MANY = SearchStatistics(records=1_000_000)


class _Database:
    """Answers the call of a page with `found` records; that of a count not before `counted` is set."""

    def __init__(self, found: int, error: Exception | None = None) -> None:
        self.found, self.error = found, error
        self.running: set[str] = set()
        self.counting, self.counted = asyncio.Event(), asyncio.Event()

    async def aggregate(self, kind: Any, pipeline: Sequence[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
        return await (await self.aggregate_encoded(kind, pipeline, **options)).decoded()

    async def aggregate_encoded(self, _kind: Any, pipeline: Sequence[dict[str, Any]], **_: Any) -> Encoded:
        call = "count" if "$count" in pipeline[-1] else "page"
        self.running.add(call)
        try:
            if call == "count":
                if self.error:
                    raise self.error
                self.counting.set()
                await self.counted.wait()
                return Encoded([{"total": 7}])
            if self.error:
                await asyncio.Event().wait()
            if self.found > 30:
                # So it ends only if both run at the same time.
                await self.counting.wait()
                self.counted.set()
            return Encoded([{"_id": str(at), "created_at": at} for at in range(self.found)])
        finally:
            self.running.discard(call)


async def _read(database: _Database, **values: Any) -> Page:
    params = ListParams.model_validate(values)
    resolved = Resolved(statistics=MANY)
    return await read_page(cast("Database", database), ROOT, params, resolved, seconds=1.0)


async def test_a_page_and_its_total_are_read_at_the_same_time() -> None:
    page = await _read(_Database(31))
    assert (len(page.records), page.total) == (30, 7)


async def test_a_first_page_that_is_the_whole_list_waits_for_no_count() -> None:
    database = _Database(3)
    assert (await _read(database)).total == 3
    assert database.running == set()


async def test_a_later_page_does_not_tell_the_total() -> None:
    database = _Database(3)
    database.counted.set()
    assert (await _read(database, page=2)).total == 7


async def test_without_a_total_nothing_is_counted() -> None:
    assert (await _read(_Database(3), total="none")).total is None


async def test_the_error_of_one_call_ends_the_other_and_is_raised_itself() -> None:
    database = _Database(3, BusyError())
    with pytest.raises(BusyError):
        await _read(database)
    assert database.running == set()


async def test_cancellation_ends_both_calls() -> None:
    database = _Database(31)
    reading = asyncio.ensure_future(_read(database, page=2))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert database.running == set()
