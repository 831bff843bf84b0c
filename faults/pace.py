"""How many writes a second the tests send: a hundred, or what the machine can take without being at its limit."""

import time

from faults.place import Place
from faults.report import progress
from faults.services import Service
from faults.writers import RATE, Writers

# Two cores that run three mongods, the service and the writers may take less than a hundred. A service that has as much
# to do as it can does not catch up after a blow, whatever the blow was.
SHARE = 0.85
TRIED = 1.5 * RATE
SETTLE_SECONDS, SECONDS = 2.0, 6.0


def pace(place: Place, service: Service) -> float:
    """Return how many writes a second to send, which is measured once."""
    if place.pace is None:
        possible = _possible(service)
        place.pace = min(RATE, float(round(SHARE * possible)))
        progress(f"{possible:.0f} writes a second are possible; {place.pace:.0f} are sent")
    return place.pace


def too_few(rate: float) -> list[str]:
    """Return what is wrong with a row at this rate: below what is promised, it shows less than it should."""
    return [f"{rate:.0f} instead of {RATE:.0f} writes a second: this machine can't take them"] if rate < RATE else []


def _possible(service: Service) -> float:
    writers = Writers(service.url, service.key, "pace", rate=TRIED)
    with writers.writing():
        time.sleep(SETTLE_SECONDS)
        before = _acknowledged(writers)
        time.sleep(SECONDS)
        return (_acknowledged(writers) - before) / SECONDS


def _acknowledged(writers: Writers) -> int:
    return sum(attempt.acknowledged for attempt in list(writers.attempts))
