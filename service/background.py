"""Background tasks, and work whose result concurrent callers share (single-flight)."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

log = logging.getLogger("modeldeck")

T = TypeVar("T")


class BackgroundTasks:
    """A set of tasks that run in the background of the work that starts them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in the background and return its task; `stop` cancels it."""
        # In an empty context: the deadline and the transaction of the request that starts it must not apply to it.
        task = asyncio.get_running_loop().create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a background task failed: %s", type(error).__name__)

    async def finish(self) -> None:
        """Wait until all tasks have ended, including tasks that they start."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Cancel the running tasks, and wait until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class SingleFlight(Generic[T]):
    """Runs one piece of work at a time; callers that ask while it runs get its result."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Share the runs of `work`."""
        self._work = work
        self._task: asyncio.Task[T] | None = None

    async def result(self) -> T:
        """Return what the work returns, or raise its error. The work continues when a caller is cancelled."""
        if self._task is None or self._task.done():
            # In an empty context: the deadline of the request that starts it must not apply to the others.
            self._task = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())
            # Retrieve the exception, so that asyncio does not warn when all callers were cancelled.
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._task)
