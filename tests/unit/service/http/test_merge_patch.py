"""What a JSON merge patch makes of a value."""

import json
from typing import Any

import pytest

from service.http.merge_patch import merged

# The cases of RFC 7396, appendix A, whose patches are objects or stand in one.
CASES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({"a": [None, {"b": None}]}, {"c": [None, {"d": None}]}, {"a": [None, {"b": None}], "c": [None, {"d": None}]}),
    ({"a.b": 1, "a": {"b": 1}}, {"a.b": 2, "$set": {"a": 3}}, {"a.b": 2, "a": {"b": 1}, "$set": {"a": 3}}),
    # The order of names stays, and new ones follow.
    ({"z": 1, "y": {"b": 1, "a": 1}}, {"w": 1, "y": {"c": 1, "b": 2}}, {"z": 1, "y": {"b": 2, "a": 1, "c": 1}, "w": 1}),
]


@pytest.mark.parametrize(("target", "patch", "result"), CASES)
def test_null_removes_an_object_is_merged_and_all_else_replaces(target: Any, patch: Any, result: Any) -> None:
    before = json.dumps([target, patch])
    # As JSON text, so that the order of names counts too.
    assert json.dumps(merged(target, patch)) == json.dumps(result)
    assert json.dumps([target, patch]) == before
