"""Background tasks, and work that concurrent callers share: single-flight, and lookups in batches."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Generic, TypeVar

log = logging.getLogger("modeldeck")

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
# A lookup that takes longer does not hold up the next one.
PATIENCE_SECONDS = 0.02


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


class BatchedLookups(Generic[K, V]):
    """Looks up together what several callers ask for while another lookup runs.

    Each lookup begins after its callers have asked, so that none of them gets an older answer. It runs in the context
    of the first of them, where a trace shows it.
    """

    def __init__(self, look_up: Callable[[list[K], float], Coroutine[Any, Any, Mapping[K, V]]]) -> None:
        """Share the calls of `look_up`, which takes the keys and for how many seconds they are waited for."""
        self._look_up = look_up
        self._running = 0
        self._next: _Batch[K, V] | None = None

    @property
    def busy(self) -> bool:
        """Whether a lookup is running, or about to."""
        return self._running > 0 or self._next is not None

    async def get(self, key: K, seconds: float) -> V | None:
        """Return the value of a key, or None if it has none; raise the error of the lookup."""
        batch = self._next
        if batch is None:
            loop = asyncio.get_running_loop()
            batch = self._next = _Batch(loop.create_future(), contextvars.copy_context())
            # Retrieve the exception, so that asyncio does not warn when all callers were cancelled.
            batch.found.add_done_callback(lambda found: found.cancelled() or found.exception())
            if self._running:
                loop.call_later(PATIENCE_SECONDS, self._start, batch)
            else:
                # Not at once: what else is asked for in this round of the loop can go with it.
                loop.call_soon(self._start, batch)
        batch.keys.add(key)
        batch.seconds = max(batch.seconds, seconds)
        return (await asyncio.shield(batch.found)).get(key)

    def _start(self, batch: "_Batch[K, V]") -> None:
        if batch is not self._next:
            return
        self._next = None
        self._running += 1
        batch.task = asyncio.get_running_loop().create_task(self._run(batch), context=batch.context)

    async def _run(self, batch: "_Batch[K, V]") -> None:
        try:
            found = await self._look_up(list(batch.keys), batch.seconds)
        except Exception as error:  # the callers raise it
            batch.found.set_exception(error)
        else:
            batch.found.set_result(found)
        finally:
            if not batch.found.done():
                batch.found.cancel()
            self._running -= 1
            if self._next is not None:
                self._start(self._next)


class _Batch(Generic[K, V]):
    def __init__(self, found: "asyncio.Future[Mapping[K, V]]", context: contextvars.Context) -> None:
        self.keys: set[K] = set()
        self.context = context
        self.seconds = 0.0
        self.found = found
        # The loop holds only weak references to tasks.
        self.task: asyncio.Task[None] | None = None
