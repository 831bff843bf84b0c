"""The difference between the response times of two requests, from which a caller could learn something."""

import gc
import time
from collections.abc import Awaitable, Callable
from statistics import median

Ask = Callable[[], Awaitable[object]]


async def median_gap(one: Ask, other: Ask, pairs: int = 500) -> float:
    """Call both alternately, `pairs` times each; return the median time of `one` minus that of `other`, in seconds.

    The order changes with each pair, so that other load on the machine affects both alike.
    """
    took: tuple[list[float], list[float]] = ([], [])
    asks = (one, other)
    for ask in asks:
        await ask()
    gc.collect()
    gc.disable()
    try:
        for number in range(pairs):
            for which in (0, 1) if number % 2 else (1, 0):
                started = time.perf_counter()
                await asks[which]()
                took[which].append(time.perf_counter() - started)
    finally:
        gc.enable()
    return median(took[0]) - median(took[1])
