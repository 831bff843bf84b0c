"""The order of what was found, and which of it a page shows."""

from datetime import UTC, datetime
from typing import Any

import pytest
from bson.datetime_ms import DatetimeMS

from service.auth.authentication import Caller
from service.listing.params import ListParams
from service.listing.parts import Order
from service.listing.pipeline import Resolved
from service.listing.position import Position
from service.listing.rare_finds import MAX_FINDS, Finds, are_rare
from service.listing.search_statistics import SearchStatistics

BY_TIME = Order("created_at", ascending=False)
BY_NAME = Order("keys.name", ascending=True)
BY_RELEVANCE = Order("keys.name", ascending=True, first="b")


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _finds(order: Order, **keys: Any) -> Finds | None:
    outer, _, inner = order.field.partition(".")
    return Finds.of(order, [{"_id": name, outer: {inner: key} if inner else key} for name, key in keys.items()])


def _ids(found: Finds | None, position: Position, number: int = 10) -> list[str]:
    assert found is not None
    return [record_id for _, _, record_id in found.following(position, number)]


def test_equal_keys_are_in_the_order_of_the_ids_in_the_same_direction() -> None:
    found = _finds(BY_TIME, b=_time(1), a=_time(1), c=_time(2))
    assert _ids(found, Position()) == ["c", "b", "a"]


def test_text_is_in_the_order_of_its_code_points() -> None:
    assert _ids(_finds(BY_NAME, a="z", b="\U0001f600", c="\uffff", d="Z"), Position()) == ["d", "a", "c", "b"]


def test_what_was_found_twice_is_one_find() -> None:
    yielded = [{"_id": "a", "created_at": _time(1)}, {"_id": "a", "created_at": _time(1)}]
    found = Finds.of(BY_TIME, yielded)
    assert found is not None
    assert found.total == 1


def test_names_that_begin_with_the_term_come_first() -> None:
    found = _finds(BY_RELEVANCE, one="ab", two="bb", three="aa", four="ba")
    assert _ids(found, Position()) == ["four", "two", "three", "one"]


@pytest.mark.parametrize(
    ("position", "ids"),
    [
        (Position(skip=1), ["two", "three", "one"]),
        (Position(skip=4), []),
        (Position(key=("ba", "four")), ["two", "three", "one"]),
        (Position(key=("bb", "zzz")), ["three", "one"]),
        (Position(group=1), ["three", "one"]),
        (Position(group=1, key=("aa", "three")), ["one"]),
    ],
)
def test_a_page_begins_at_its_position(position: Position, ids: list[str]) -> None:
    found = _finds(BY_RELEVANCE, one="ab", two="bb", three="aa", four="ba")
    assert _ids(found, position) == ids


def test_a_later_time_that_no_calendar_has_comes_first() -> None:
    found = _finds(BY_TIME, a=_time(1), b=DatetimeMS(2**60))
    assert _ids(found, Position()) == ["b", "a"]
    assert _ids(found, Position(key=(DatetimeMS(2**60), "b"))) == ["a"]


@pytest.mark.parametrize(
    "position",
    [
        Position(strays=True),
        Position(key=(_time(1), None)),
        Position(key=(_time(1), True)),
        Position(key=(_time(1), "a"), skip=2),
    ],
)
def test_only_the_server_knows_what_follows_a_record_without_a_proper_key_or_id(position: Position) -> None:
    params = ListParams.model_validate({"tag": ["a", "b"]})
    ann = Caller("ann", is_admin=False, principals=frozenset({"user:ann"}))
    sample = [{"keys": {"tags": ["a"], "readers": ["user:ann"]}}]
    resolved = Resolved(statistics=SearchStatistics.of(sample, 1_000_000))
    assert are_rare(params, ann, resolved, Position())
    assert not are_rare(params, ann, resolved, position)


@pytest.mark.parametrize("key", [None, "text", 1, [_time(1)]])
def test_only_the_server_orders_a_record_without_a_proper_key(key: Any) -> None:
    assert _finds(BY_TIME, a=_time(1), b=key) is None


@pytest.mark.parametrize("record_id", [1, None, ["a"]])
def test_only_the_server_orders_a_record_without_a_proper_id(record_id: Any) -> None:
    assert Finds.of(BY_TIME, [{"_id": record_id, "created_at": _time(1)}]) is None


def test_what_is_too_much_is_left_to_the_server() -> None:
    yielded = ({"_id": f"{at}", "created_at": _time(at)} for at in range(MAX_FINDS + 1))
    assert Finds.of(BY_TIME, yielded) is None
