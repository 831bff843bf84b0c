"""How much longer one kind of request takes than another: what a caller could learn from a clock."""

import gc
import time
from collections.abc import Awaitable, Callable
from statistics import median

Ask = Callable[[], Awaitable[object]]


async def median_gap(one: Ask, other: Ask, pairs: int = 500) -> float:
    """Ask both in turns, so often each; return by how many seconds the median of `one` is above that of `other`.

    Who is first changes from pair to pair, so that what comes and goes on the machine is the same for both.
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
