"""Numbers, times and lists as people read them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from service.clock import MAX_SECONDS, MIN_SECONDS, now

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# From so many seconds on, how long the unit is, and its name.
_UNITS = (
    (365 * _DAY, "year"),
    (30 * _DAY, "month"),
    (7 * _DAY, "week"),
    (_DAY, "day"),
    (_HOUR, "hour"),
    (_MINUTE, "minute"),
)

# What could order the words after a name too.
_DIRECTIONS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def number(value: int) -> str:
    """Return a number with separators."""
    return f"{value:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun, such as `1 group` or `2 groups`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def listed(parts: Sequence[str]) -> str:
    """Return several things as one phrase: `a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def isolated(name: str) -> str:
    """Return a name as it can stand within a sentence, whose other words keep their order whatever its script is."""
    return name if name.isascii() else f"\u2068{name.translate(_DIRECTIONS)}\u2069"


def _moment(seconds: int) -> datetime | None:
    # A time that was written past the service can be any number.
    return datetime.fromtimestamp(seconds, UTC) if MIN_SECONDS <= seconds < MAX_SECONDS else None


def date(seconds: int) -> str:
    """Return a time in full, in UTC."""
    moment = _moment(seconds)
    return "at an unknown time" if moment is None else f"{moment:%a} {moment.day} {moment:%b %Y, %H:%M} UTC"


def ago(seconds: int, reference: int | None = None) -> str:
    """Return a time as it is said: `3 days ago`, `in 2 months`."""
    passed = (int(now().timestamp()) if reference is None else reference) - seconds
    size = abs(passed)
    if size < _MINUTE:
        return "just now"
    if _moment(seconds) is None:
        return "at an unknown time"
    length, unit = next((length, name) for length, name in _UNITS if size >= length)
    count = size // length
    if (unit, count) == ("day", 1):
        return "yesterday" if passed > 0 else "tomorrow"
    said = plural(count, unit)
    return f"{said} ago" if passed > 0 else f"in {said}"
