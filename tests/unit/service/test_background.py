"""Work that concurrent callers share: single-flight, and lookups in batches."""

import asyncio
import gc
from typing import Any

import pytest

from service import background
from service.background import BatchedLookups, SingleFlight


class Work:
    """Work that waits for an event, and returns how often it was started."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()

    async def __call__(self) -> int:
        self.begun += 1
        await self.go_on.wait()
        return self.begun


async def test_it_is_done_once_for_all_who_ask_meanwhile() -> None:
    work = Work()
    shared = SingleFlight(work)
    asking = [asyncio.create_task(shared.result()) for _ in range(100)]
    await asyncio.sleep(0)
    work.go_on.set()
    assert set(await asyncio.gather(*asking)) == {1}
    assert await shared.result() == 2


async def test_it_continues_for_the_others_when_one_is_cancelled() -> None:
    work = Work()
    shared = SingleFlight(work)
    leaving, staying = (asyncio.create_task(shared.result()) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    work.go_on.set()
    assert await staying == 1
    assert leaving.cancelled()


async def test_a_failure_reaches_every_waiter_and_is_not_kept() -> None:
    failing = True

    async def work() -> str:
        await asyncio.sleep(0)
        if failing:
            raise KeyError
        return "done"

    shared = SingleFlight(work)
    results = await asyncio.gather(*(shared.result() for _ in range(3)), return_exceptions=True)
    assert {type(error) for error in results} == {KeyError}
    failing = False
    assert await shared.result() == "done"


async def test_a_failure_that_nobody_waits_for_is_not_reported() -> None:
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()

    async def work() -> None:
        await asyncio.sleep(0)
        raise KeyError

    gc.collect()  # so that nothing left by other tests is reported here
    loop.set_exception_handler(lambda _, context: reported.append(context))
    try:
        asking = asyncio.create_task(SingleFlight(work).result())
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        for _ in range(5):
            await asyncio.sleep(0)
        # A failure that nobody retrieved is reported to the loop when its task is garbage-collected.
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert reported == []


class Lookups:
    """Lookups that each wait until they are let go on; records the keys and the seconds of each."""

    def __init__(self) -> None:
        self.begun: list[tuple[set[str], float]] = []
        self.go_on: list[asyncio.Event] = []
        self._changed = asyncio.Condition()

    async def __call__(self, keys: list[str], seconds: float) -> dict[str, str]:
        self.begun.append((set(keys), seconds))
        self.go_on.append(asyncio.Event())
        number = len(self.begun)
        async with self._changed:
            self._changed.notify_all()
        await self.go_on[-1].wait()
        if "broken" in keys:
            raise KeyError
        return {key: f"{key} at {number}" for key in keys if key != "absent"}

    async def have_begun(self, number: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.begun) >= number)


async def test_what_is_asked_while_a_lookup_runs_is_looked_up_together_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "PATIENCE_SECONDS", 3600)
    lookups = Lookups()
    batched = BatchedLookups(lookups)
    first = [asyncio.create_task(batched.get(key, 1)) for key in ("a", "b")]
    await lookups.have_begun(1)
    # The same key again: the running lookup may have read it before it was asked for.
    later = [asyncio.create_task(batched.get(key, seconds)) for key, seconds in (("a", 2), ("absent", 5), ("c", 3))]
    await asyncio.sleep(0)
    lookups.go_on[0].set()
    assert await asyncio.gather(*first) == ["a at 1", "b at 1"]
    await lookups.have_begun(2)
    lookups.go_on[1].set()
    assert await asyncio.gather(*later) == ["a at 2", None, "c at 2"]
    assert lookups.begun == [({"a", "b"}, 1), ({"a", "absent", "c"}, 5)]


async def test_a_lookup_that_hangs_does_not_hold_up_the_next() -> None:
    lookups = Lookups()
    batched = BatchedLookups(lookups)
    hanging = asyncio.create_task(batched.get("a", 1))
    await lookups.have_begun(1)
    next_one = asyncio.create_task(batched.get("b", 1))
    await lookups.have_begun(2)
    lookups.go_on[1].set()
    assert await next_one == "b at 2"
    lookups.go_on[0].set()
    assert await hanging == "a at 1"


async def test_a_failed_lookup_fails_for_those_who_share_it_and_no_others() -> None:
    lookups = Lookups()
    batched = BatchedLookups(lookups)
    failing = [asyncio.create_task(batched.get(key, 1)) for key in ("a", "broken")]
    await lookups.have_begun(1)
    lookups.go_on[0].set()
    results = await asyncio.gather(*failing, return_exceptions=True)
    assert [type(result) for result in results] == [KeyError, KeyError]
    working = asyncio.create_task(batched.get("a", 1))
    await lookups.have_begun(2)
    lookups.go_on[1].set()
    assert await working == "a at 2"


async def test_a_lookup_goes_on_for_the_others_when_one_is_cancelled() -> None:
    lookups = Lookups()
    batched = BatchedLookups(lookups)
    leaving, staying = (asyncio.create_task(batched.get("a", 1)) for _ in range(2))
    await lookups.have_begun(1)
    leaving.cancel()
    lookups.go_on[0].set()
    assert await staying == "a at 1"
    assert leaving.cancelled()
