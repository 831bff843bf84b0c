"""The three-way comparison: what the source said last, what it says now, and what is here."""

from typing import Any

import pytest

from service.importing.three_way import Merged, merge
from service.models.fingerprints import MAX_MEMBERS, Fingerprints
from tests.support.directory import grant

BASE: dict[str, Any] = {
    "name": "N",
    "base_model_id": "b",
    "is_active": True,
    "params": {"a": 1, "b": 2},
    "meta": {},
    "access_grants": [grant("group:g")],
}


def _merged(file: dict[str, Any], now: dict[str, Any], last: dict[str, Any] | None = None) -> Merged:
    # Through the text, as it is stored.
    said = Fingerprints.parse(Fingerprints.of(BASE if last is None else last).text)
    return merge(said, {**BASE, **file}, {**BASE, "user_id": "u", **now})


def _given(content: Any) -> list[tuple[str, str]]:
    return [(one["principal_id"], one["permission"]) for one in content["access_grants"]]


@pytest.mark.parametrize(
    ("field", "other", "third"),
    [("name", "M", "O"), ("base_model_id", None, "c"), ("params", {"a": 9, "b": 2}, {"a": 8, "b": 2})],
)
def test_of_each_field_the_side_counts_that_changed_it(field: str, other: Any, third: Any) -> None:
    by_source, by_hand = _merged({field: other}, {}), _merged({}, {field: other})
    assert by_source.content[field] == by_hand.content[field] == other
    assert by_source.conflicts == by_hand.conflicts == by_source.kept == []
    path = "params.a" if field == "params" else field
    assert by_hand.kept == [path]

    both = _merged({field: other}, {field: other})
    assert (both.content[field], both.conflicts, both.kept) == (other, [], [])
    conflict = _merged({field: other}, {field: third})
    assert (conflict.content[field], conflict.conflicts, conflict.kept) == (third, [path], [])


@pytest.mark.parametrize(
    ("file", "now", "expected", "conflicts"),
    [
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}, []),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}, []),
        ({"b": 2}, {"a": 1, "b": 2}, {"b": 2}, []),
        ({"a": 1, "b": 2}, {"b": 2}, {"b": 2}, []),
        ({"b": 2}, {"a": 1, "b": 3}, {"b": 3}, []),
        ({}, {}, {}, []),
        ({"b": 2}, {"a": 9, "b": 2}, {"a": 9, "b": 2}, ["params.a"]),
        ({"a": 9, "b": 2}, {"b": 2}, {"b": 2}, ["params.a"]),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 4}, {"a": 1, "b": 2, "c": 4}, ["params.c"]),
        ({"a": 1.0, "b": 2}, {"a": 1, "b": 2}, {"a": 1.0, "b": 2}, []),
        ({"a": 1, "b": 2}, {"a": True, "b": 2}, {"a": True, "b": 2}, []),
    ],
    ids=[
        "added there",
        "added here",
        "removed there",
        "removed here",
        "one on each side",
        "both removed all",
        "removed there, changed here",
        "changed there, removed here",
        "both added it, differently",
        "1.0 is another value than 1",
        "true is another value than 1",
    ],
)
def test_members_are_merged_one_by_one(
    file: dict[str, Any], now: dict[str, Any], expected: dict[str, Any], conflicts: list[str]
) -> None:
    merged = _merged({"params": file}, {"params": now})
    assert repr(merged.content["params"]) == repr(expected)
    assert merged.conflicts == conflicts


def test_the_order_of_names_is_that_of_the_source_where_nothing_was_changed_here() -> None:
    other_order = {"b": 2, "a": 1}
    assert list(_merged({"params": other_order}, {}).content["params"]) == ["b", "a"]
    assert list(_merged({"params": other_order}, {"params": {"a": 1, "b": 3}}).content["params"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("file", "now", "expected"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"b": 2, "a": 1}),
        ({"b": 9, "a": 1}, {"a": 1, "b": 9}, {"a": 1, "b": 9}),
        ({"a": {"x": 1, "y": 2}, "b": 2}, {"a": {"y": 2, "x": 1}, "b": 2}, {"a": {"y": 2, "x": 1}, "b": 2}),
        ({"a": 9, "b": 2}, {"b": 2, "a": 1}, {"a": 9, "b": 2}),
    ],
    ids=["sorted here", "the same edit in another order", "the same edit, nested", "sorted here, changed there"],
)
def test_another_order_of_names_is_no_change(
    file: dict[str, Any], now: dict[str, Any], expected: dict[str, Any]
) -> None:
    merged = _merged({"params": file}, {"params": now})
    assert repr(merged.content["params"]) == repr(expected)
    assert merged.conflicts == merged.kept == []


def test_very_many_members_are_one_part_in_whatever_order() -> None:
    many = _many(MAX_MEMBERS + 1)
    turned = dict(reversed(many.items()))
    merged = _merged({"params": {**many, "a": 1}}, {"params": turned}, {**BASE, "params": many})
    assert merged.content["params"] == {**many, "a": 1}
    assert _merged({"params": turned}, {"params": {**many, "a": 1}}, {**BASE, "params": many}).conflicts == []


@pytest.mark.parametrize(
    ("file", "now", "expected"),
    [
        ([], ["group:g"], []),
        (["group:g"], [], []),
        (["group:g", "user:ann"], ["group:g"], ["group:g", "user:ann"]),
        (["group:g"], ["group:g", "user:ann"], ["group:g", "user:ann"]),
        ([], ["group:g", "user:ann"], ["user:ann"]),
        (["group:h"], ["user:ann"], ["user:ann", "group:h"]),
    ],
    ids=["revoked there", "revoked here", "given there", "given here", "revoked there, given here", "both replaced it"],
)
def test_each_grant_is_there_or_not(file: list[str], now: list[str], expected: list[str]) -> None:
    merged = _merged({"access_grants": [*map(grant, file)]}, {"access_grants": [*map(grant, now)]})
    assert merged.content["access_grants"] == [*map(grant, expected)]
    assert merged.conflicts == []


def test_what_was_revoked_here_stays_revoked_until_the_source_gives_it_anew() -> None:
    assert _given(_merged({}, {"access_grants": []}).content) == []
    again = _merged({}, {"access_grants": []}, {**BASE, "access_grants": []})
    assert _given(again.content) == [("g", "read")]


def test_a_source_that_says_nothing_of_a_field_does_not_change_it() -> None:
    silent = {name: value for name, value in BASE.items() if name != "params"}
    merged = merge(Fingerprints.of(BASE), silent, {**BASE, "user_id": "u"})
    assert "params" not in merged.content
    assert "user_id" not in merged.content


def test_an_owner_counts_only_if_the_source_names_one() -> None:
    named = {**BASE, "user_id": "ann"}
    assert _merged({"user_id": "ben"}, {"user_id": "ann"}, named).content["user_id"] == "ben"
    assert _merged({"user_id": "ann"}, {"user_id": "ben"}, named).content["user_id"] == "ben"
    assert _merged({"user_id": "cyd"}, {"user_id": "ben"}, named).conflicts == ["user_id"]


def _many(number: int, **fields: Any) -> dict[str, Any]:
    return {f"m{at}": at for at in range(number)} | fields


@pytest.mark.parametrize(
    ("last", "file", "now", "expected", "conflicts"),
    [
        (_many(MAX_MEMBERS + 1), _many(MAX_MEMBERS + 1, a=1), _many(MAX_MEMBERS + 1), "file", []),
        (_many(MAX_MEMBERS + 1), _many(MAX_MEMBERS + 1), _many(MAX_MEMBERS + 1, a=1), "now", []),
        (_many(MAX_MEMBERS + 1), _many(MAX_MEMBERS + 1, a=1), _many(MAX_MEMBERS + 1, b=1), "now", ["params"]),
        (_many(MAX_MEMBERS), _many(MAX_MEMBERS, a=1), _many(MAX_MEMBERS), "file", []),
        (_many(MAX_MEMBERS), _many(MAX_MEMBERS, a=1), _many(MAX_MEMBERS - 1), "now", ["params"]),
        (_many(MAX_MEMBERS + 1), _many(3), _many(MAX_MEMBERS + 1), "file", []),
        (_many(MAX_MEMBERS + 1), _many(3), _many(4), "now", ["params"]),
    ],
    ids=["file", "here", "both", "grew", "grew, other here", "shrank", "both shrank"],
)
def test_very_many_members_are_one_part(
    last: dict[str, Any], file: dict[str, Any], now: dict[str, Any], expected: str, conflicts: list[str]
) -> None:
    merged = _merged({"params": file}, {"params": now}, {**BASE, "params": last})
    assert merged.content["params"] == {"file": file, "now": now}[expected]
    assert merged.conflicts == conflicts


def test_long_names_are_cut_in_reports() -> None:
    name = "x" * 500
    merged = _merged({"params": {name: 1}}, {"params": {name: 2}})
    assert merged.conflicts == [f"params.{'x' * 93}…"]
