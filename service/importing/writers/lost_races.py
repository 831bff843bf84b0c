"""Writing a batch again, of which others have changed some records since it was read: half by half."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from service.errors import ConflictError
from service.importing.plan import ATTEMPTS, CONTENDED
from service.models.store import LostRaceError, back_off

T = TypeVar("T")


async def after_lost_race(batch: Sequence[T], write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
    """Let `write` read, decide and store what is left of a batch that could not be stored, in order and half by half.

    The fewer records a part has, the sooner it is stored and the fewer it shares with those who change others. Raises
    ConflictError when a single record is lost again and again; the parts before it are stored then.
    """
    if len(batch) == 1:
        await _write_one(batch, write)
        return
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        try:
            await write(half)
        except LostRaceError:
            await after_lost_race(half, write)


async def _write_one(single: Sequence[T], write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
    for attempt in range(ATTEMPTS):
        await back_off(attempt)
        try:
            await write(single)
        except LostRaceError:
            continue
        return
    raise ConflictError(CONTENDED)
