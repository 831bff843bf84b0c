"""Times as they are stored, and as the API writes them."""

from datetime import UTC, datetime
from typing import Any

from bson.datetime_ms import DatetimeMS
from bson.tz_util import utc

# The years 1 to 9999, the range of Python's dates, as seconds since 1970.
MIN_SECONDS, MAX_SECONDS = -62135596800, 253402300799
# With the time zone that dates have when they are read: Python subtracts dates of one zone without asking it.
_EPOCH = datetime(1970, 1, 1, tzinfo=utc)


def now() -> datetime:
    """Return the current time in UTC, in whole seconds as the API shows it."""
    return datetime.now(UTC).replace(microsecond=0)


def epoch_seconds(moment: Any) -> int:
    """Return a stored date as the API writes it: whole seconds since 1970, UTC.

    A value that was written past the service may be no date in the years 1 to 9999: a BSON date beyond them is
    returned in seconds too, a whole number as it is, anything else as 0.
    """
    if isinstance(moment, datetime):
        return int((moment - _EPOCH).total_seconds())
    if isinstance(moment, DatetimeMS):
        return int(moment) // 1000
    return moment if isinstance(moment, int) else 0
