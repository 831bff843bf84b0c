"""Points in time as clients send them: whole epoch seconds, or RFC 3339."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from service.clock import MAX_SECONDS, MIN_SECONDS

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"-?[0-9]{1,12}")
# The space stands for the `+` of an offset that was not percent-encoded: a query string decodes it to a space.
_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,30}))?"
    r"(?:[Zz]|([+\- ])([0-9]{2}:[0-9]{2}))"
)
EXAMPLE_MOMENT = "2026-03-21T16:10:55Z"


def _of_seconds(seconds: int) -> datetime:
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise ValueError(f"must be from {MIN_SECONDS} to {MAX_SECONDS}, in seconds since 1970")
    return _EPOCH + timedelta(seconds=seconds)


def _of_text(text: str) -> datetime:
    if _SECONDS.fullmatch(text):
        return _of_seconds(int(text))
    if not (found := _RFC_3339.fullmatch(text)):
        raise ValueError(f"must be whole seconds since 1970, or a time as in RFC 3339, such as {EXAMPLE_MOMENT}")
    date, time, fraction, sign, offset = found.groups()
    # A stored date has milliseconds; the next one is the first that is not before the given moment.
    milliseconds = -(-int((fraction or "0").ljust(30, "0")) // 10**27)
    zone = "+00:00" if offset is None else f"{sign.replace(' ', '+')}{offset}"
    try:
        return datetime.fromisoformat(f"{date}T{time}{zone}").astimezone(UTC) + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError):
        raise ValueError(f"is not a time; one is {EXAMPLE_MOMENT}") from None


def moment(value: Any) -> Any:
    """Return whole epoch seconds or RFC 3339 as a time in UTC; raise ValueError for anything else but None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _of_seconds(value)
    if value is None or isinstance(value, datetime):
        return value
    return _of_text(value.strip() if isinstance(value, str) else "")


SentMoment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema({"type": "string", "examples": [EXAMPLE_MOMENT, "1774109455"]}),
]
"""A point in time, which a client sends as epoch seconds or as RFC 3339."""
