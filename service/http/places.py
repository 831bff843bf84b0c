"""Places for requests that take long: a bound for each kind of them, of which no user can have all."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from service.errors import UnavailableError

# One in this many of the concurrent requests may be of one kind.
SHARE = 8


class LongRequest(StrEnum):
    """The kinds of requests that take long, as an error names them."""

    STREAM = "exports"
    PAGE = "pages of large models and lists of base models"
    BULK_CHANGE = "changes of many models"
    PEOPLE_CHANGE = "changes of users and groups"
    SLOW_BODY = "bodies that arrive slowly"
    FOLLOWING = "followers of changes"
    CATCHING_UP = "readings of missed changes"


class Places:
    """The places for one kind of request."""

    def __init__(self, kind: LongRequest, total: int, for_one_user: int) -> None:
        self._refusal = f"Too many {kind} are in progress; nothing was done, try again later."
        self._total = total
        self._for_one_user = for_one_user
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """The number of places that are taken."""
        return self._taken.total()

    @contextmanager
    def taken_by(self, user_id: str) -> Iterator[None]:
        """Take a place during a block; raise UnavailableError when there is none left, or none for this user."""
        if self._taken.total() >= self._total or self._taken[user_id] >= self._for_one_user:
            raise UnavailableError(self._refusal)
        self._taken[user_id] += 1
        try:
            yield
        finally:
            self._taken[user_id] -= 1
            # Drops the users who have no place any more.
            self._taken += Counter()


def places(max_in_flight: int, max_followers: int) -> Mapping[LongRequest, Places]:
    """Return the places of a process that answers so many requests at a time, and has so many followers."""
    # At least two, so that one user never has all.
    share = max(2, max_in_flight // SHARE)
    kinds = (LongRequest.STREAM, LongRequest.BULK_CHANGE, LongRequest.PEOPLE_CHANGE)
    return {
        # More than of the others: these are asked for often, and mostly soon over.
        LongRequest.PAGE: Places(LongRequest.PAGE, 2 * share, share),
        **{kind: Places(kind, share, share // 2) for kind in kinds},
        # These take no place from other requests, so there can be more.
        LongRequest.FOLLOWING: Places(LongRequest.FOLLOWING, max_followers, max(1, max_followers // SHARE)),
        # Each reads up to ten thousand changes, and holds a place among the requests in flight meanwhile.
        LongRequest.CATCHING_UP: Places(LongRequest.CATCHING_UP, 2, 1),
        LongRequest.SLOW_BODY: Places(LongRequest.SLOW_BODY, 2 * max_in_flight, max(1, max_in_flight // 2)),
    }
