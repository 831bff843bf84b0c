"""Where in an order a page begins, and the cursor that says so to the next request."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import orjson
from bson.datetime_ms import DatetimeMS

from service.clock import MAX_SECONDS, MIN_SECONDS
from service.errors import InvalidInputError
from service.http.pagination import MAX_SKIP
from service.listing.params import ListFilter, ListParams

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# Longer sort keys, written past the service, would not fit into a URL.
_MAX_KEY_LENGTH = 10_000
# Of the orders that have several: by relevance, the names that begin with the first term, and the others.
GROUPS = {"relevance": 2}
# Raised when cursors get another form, so that old ones are refused.
_FORM = 1

# The id of a record; or, after a record whose id is no text, None past all of its sort key and True before those that
# are text.
AfterId = str | bool | None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in an order, which consists of one group of records or several, one after another.

    With `key`, the sort key and the id of a record: after that record of `group`. With `strays`: at the beginning of
    the records of `group` that have no proper sort key or id. Else: at the beginning of `group`. From there, `skip`
    records are left out.
    """

    group: int = 0
    skip: int = 0
    key: tuple[Any, AfterId] | None = None
    strays: bool = False

    @classmethod
    def requested(cls, params: ListParams) -> Self:
        """Return the position that a request asks for; raise InvalidInputError for a cursor that does not fit."""
        if params.cursor is None:
            return cls(skip=params.skip)
        if "page" in params.model_fields_set:
            raise _refusal("must not be given together with page")
        try:
            form, order, filters, *place = orjson.loads(base64.b64decode(_padded(params.cursor), b"-_", validate=True))
            if form != _FORM:
                raise ValueError
            position = cls(*_place(*place))
            if position.group >= GROUPS.get(params.order_by, 1):
                raise ValueError
        except (ValueError, TypeError, binascii.Error, orjson.JSONDecodeError):
            raise _refusal("must be the next_cursor of an answer, unchanged") from None
        if order != _order(params):
            raise _refusal("belongs to another order; it must be sent with the same order_by and direction")
        if filters != _fingerprint(params):
            raise _refusal("belongs to other filters; it must be sent with the same ones")
        if position.key and isinstance(position.key[0], str) != (params.order_by in {"name", "relevance"}):
            raise _refusal("must be the next_cursor of an answer, unchanged")
        return position

    def cursor(self, params: ListParams) -> str:
        """Return the cursor of this position in the list that `params` asks for."""
        value, after_id = self.key or (None, None)
        value = value if value is None or isinstance(value, str) else milliseconds(value)
        content = [_FORM, _order(params), _fingerprint(params), self.group, self.skip, value, after_id, self.strays]
        return base64.urlsafe_b64encode(orjson.dumps(content)).rstrip(b"=").decode()


def _refusal(message: str) -> InvalidInputError:
    return InvalidInputError([{"loc": ["query", "cursor"], "msg": message}])


def _padded(cursor: str) -> bytes:
    return cursor.encode("ascii") + b"=" * (-len(cursor) % 4)


def _order(params: ListParams) -> list[str]:
    return [params.order_by, "asc" if params.ascending else "desc"]


def _fingerprint(params: ListParams) -> str:
    """Return a short hash of the filters: a position makes sense only among the records that they select."""
    filters = params.model_dump(mode="json", include=set(ListFilter.model_fields), exclude_defaults=True)
    return hashlib.blake2b(orjson.dumps(filters, option=orjson.OPT_SORT_KEYS), digest_size=6).hexdigest()


def _place(group: Any, skip: Any, value: Any, after_id: Any, strays: Any) -> tuple[Any, ...]:
    whole = all(type(number) is int and 0 <= number <= MAX_SKIP for number in (group, skip))
    known = type(value) in (str, int, type(None)) and (
        isinstance(after_id, str) or after_id is True or after_id is None
    )
    if not whole or not known or type(strays) is not bool:
        raise ValueError
    if value is None:
        return group, skip, None, strays
    return group, skip, (value if isinstance(value, str) else _moment(value), after_id), strays


def milliseconds(moment: datetime | DatetimeMS) -> int:
    """Return a stored time in milliseconds since 1970."""
    return int(moment) if isinstance(moment, DatetimeMS) else (moment - _EPOCH) // _MILLISECOND


def _moment(milliseconds: int) -> datetime | DatetimeMS:
    if not -(2**63) <= milliseconds < 2**63:
        raise ValueError
    if MIN_SECONDS <= milliseconds // 1000 < MAX_SECONDS:
        return _EPOCH + milliseconds * _MILLISECOND
    return DatetimeMS(milliseconds)


def sort_key(record: Mapping[str, Any], field: str) -> Any:
    """Return the sort key of a stored record, None if it has none that fits; `field` may be `keys.name`."""
    outer, _, inner = field.partition(".")
    value = record.get(outer)
    if inner:
        value = value.get(inner) if isinstance(value, Mapping) else None
        return value if isinstance(value, str) and len(value) <= _MAX_KEY_LENGTH else None
    return value if isinstance(value, datetime | DatetimeMS) else None
