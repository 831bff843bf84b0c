"""Single-flight work: concurrent callers share one execution, and later callers start another one."""

import asyncio
import gc
from typing import Any

import pytest

from service.background import SingleFlight


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
