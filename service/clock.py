"""Time as it is stored, and as the API writes it."""

from datetime import UTC, datetime
from typing import Any

from bson.datetime_ms import DatetimeMS

# The years 1 to 9999, which is what a date can hold, as seconds since 1970.
MIN_SECONDS, MAX_SECONDS = -62135596800, 253402300799


def now() -> datetime:
    """Return the current time in whole seconds, UTC: what the API can show."""
    return datetime.now(UTC).replace(microsecond=0)


def epoch_seconds(moment: Any) -> int:
    """Return a stored date as the API writes it: whole seconds since 1970, UTC.

    What others have stored in a date's place is shown as near to that as it can be: a date beyond the
    years 1 to 9999 in seconds too, a whole number as it is, anything else as 0.
    """
    if isinstance(moment, datetime):
        return int(moment.timestamp())
    if isinstance(moment, DatetimeMS):
        return int(moment) // 1000
    return moment if isinstance(moment, int) else 0
