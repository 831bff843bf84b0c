"""Time as it is stored, and as the API writes it."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in whole seconds, UTC: what the API can show."""
    return datetime.now(UTC).replace(microsecond=0)


def epoch_seconds(moment: datetime) -> int:
    """Return a stored date as the API writes it: whole seconds since 1970, UTC."""
    return int(moment.timestamp())
