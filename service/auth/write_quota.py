"""The write quota: refuses the changes of a user who has made too many within an hour."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import TTLCache

from service.errors import TooManyWritesError

WINDOW_SECONDS = 3600.0
# When it is reached, the oldest hour is forgotten.
MAX_USERS = 100_000


@dataclass(slots=True)
class _Hour:
    """What one user has changed since a moment."""

    began: float
    changes: int = 0


class WriteQuota:
    """Counts the changes of each user, for an hour from the first; each process counts those that it makes."""

    def __init__(self, limit: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow so many changes in an hour; None for any number."""
        self._limit = limit
        self._clock = clock
        self._hours: TTLCache[str, _Hour] = TTLCache(MAX_USERS, WINDOW_SECONDS, clock)

    def require(self, user_id: str) -> None:
        """Raise TooManyWritesError when a user has no change left."""
        hour = self._hours.get(user_id)
        if self._limit is not None and hour is not None and hour.changes >= self._limit:
            raise TooManyWritesError(hour.began + WINDOW_SECONDS - self._clock())

    def add(self, user_id: str, changes: int) -> None:
        """Count what a request has changed; that may be more than was left."""
        if self._limit is None:
            return
        hour = self._hours.get(user_id)
        if hour is None:
            hour = self._hours[user_id] = _Hour(self._clock())
        hour.changes += changes
