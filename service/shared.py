"""Work that is done once for all who want its result at the same time."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Does one thing once at a time, however many ask for it."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """Share `work`."""
        self._work = work
        self._task: asyncio.Task[T] | None = None

    async def result(self) -> T:
        """Return what the work returns; raise what it raises. It goes on when whoever asked for it leaves."""
        if self._task is None or self._task.done():
            # In a context of its own: the deadline of the request that began it is not that of the others.
            self._task = asyncio.get_running_loop().create_task(self._work(), context=contextvars.Context())
            # It is told to all who wait for it, and nobody has to.
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._task)
