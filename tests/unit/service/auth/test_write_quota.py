"""The write quota: a limit on the changes of one user within an hour."""

import pytest

from service.auth.write_quota import WINDOW_SECONDS, WriteQuota
from service.errors import TooManyWritesError


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def test_after_the_last_change_of_an_hour_the_next_one_waits_for_its_end() -> None:
    clock = Clock()
    quota = WriteQuota(3, clock)
    for user in ("ann", "ann", "bob", "ann"):
        quota.begin(user)
        clock.time += 10
    with pytest.raises(TooManyWritesError) as refused:
        quota.begin("ann")
    assert refused.value.headers == {"Retry-After": str(int(WINDOW_SECONDS) - 40)}
    quota.begin("bob")
    clock.time += WINDOW_SECONDS - 40
    quota.begin("ann")


def test_what_a_request_changes_besides_counts_for_the_next_ones() -> None:
    quota = WriteQuota(10, Clock())
    quota.begin("ann")
    quota.add("ann", 100)
    with pytest.raises(TooManyWritesError):
        quota.begin("ann")


def test_without_a_limit_nobody_waits() -> None:
    quota = WriteQuota(None)
    for _ in range(1000):
        quota.begin("ann")
