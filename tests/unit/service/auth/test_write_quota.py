"""The write quota: a limit on the changes of one user within an hour."""

import pytest

from service.auth.write_quota import WINDOW_SECONDS, WriteQuota
from service.errors import TooManyWritesError


def change(quota: WriteQuota, user: str) -> None:
    """Let a user make one change."""
    quota.require(user)
    quota.add(user, 1)


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_after_the_last_change_of_an_hour_the_next_one_waits_for_its_end() -> None:
    clock = Clock()
    quota = WriteQuota(3, clock)
    for user in ("ann", "ann", "bob", "ann"):
        change(quota, user)
        clock.time += 10
    with pytest.raises(TooManyWritesError) as refused:
        change(quota, "ann")
    assert refused.value.headers == {"Retry-After": str(int(WINDOW_SECONDS) - 40)}
    change(quota, "bob")
    clock.time += WINDOW_SECONDS - 40
    change(quota, "ann")


def test_what_a_request_changes_besides_counts_for_the_next_ones() -> None:
    quota = WriteQuota(10, Clock())
    change(quota, "ann")
    quota.add("ann", 100)
    with pytest.raises(TooManyWritesError):
        change(quota, "ann")


def test_without_a_limit_nobody_waits() -> None:
    quota = WriteQuota(None)
    for _ in range(1000):
        change(quota, "ann")
