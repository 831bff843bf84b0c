"""Starting a mongod again that has ended: at once, and after failures with growing pauses."""

from itertools import pairwise
from threading import Event

import pytest

from service.embedded_mongo.restarts import CHECK_SECONDS, LONGEST_PAUSE, _watch
from service.embedded_mongo.server import EmbeddedMongo
from service.errors import ConfigurationError


class Waits(Event):
    """Never waits, but records for how long it was asked to; is set after so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return len(self.seconds) >= self._times


class Failing(EmbeddedMongo):
    """A mongod that does not run, and can't be started except at some attempts."""

    def __init__(self, starts_at: tuple[int, ...] = ()) -> None:
        self.attempts = 0
        self.released = False
        self._starts_at = starts_at

    def runs(self) -> bool:
        return False

    def bring_up(self) -> None:
        self.attempts += 1
        if self.attempts not in self._starts_at:
            raise ConfigurationError("mongod did not start")

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize("starts_at", [(), (1, 2, 3, 4)], ids=["never starts", "ends again and again"])
def test_the_pauses_grow_to_a_minute_and_the_attempts_go_on(
    starts_at: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    embedded, over = Failing(starts_at), Waits(25)
    _watch(embedded, over)
    pauses = over.seconds[1::2]
    assert set(over.seconds[::2]) == {CHECK_SECONDS}
    assert (pauses[:3], pauses[-1]) == ([0.0, 1.0, 2.0], LONGEST_PAUSE)
    assert all(before <= after for before, after in pairwise(pauses))
    assert (embedded.attempts, embedded.released) == (12, True)
    assert caplog.text.count("it is started again") == 12


def test_nothing_is_started_any_more_once_it_is_over() -> None:
    embedded = Failing()
    _watch(embedded, Waits(2))
    assert (embedded.attempts, embedded.released) == (0, True)
