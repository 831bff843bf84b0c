"""The time as it is stored."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time in whole seconds, UTC: what the API can show."""
    return datetime.now(UTC).replace(microsecond=0)
