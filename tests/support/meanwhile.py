"""Letting something happen in the middle of work."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from pymongo.errors import PyMongoError

# Makes a function of some owner fail after it was executed.
Lost = Callable[[Any, str, PyMongoError], None]


def after(number: int, work: Any, event: Callable[[], Coroutine[Any, Any, None]]) -> Any:
    """Return `work`, which lets something happen after so many calls."""
    calls = 0

    async def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        result = await work(*arguments, **options)
        calls += 1
        if calls == number:
            # Not as a part of the request, whose transaction it would join.
            await asyncio.create_task(event(), context=Context())
        return result

    return counted
