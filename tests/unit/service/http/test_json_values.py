"""Counting values in JSON text: what strings hold does not count."""

import json

import pytest

from service.http.json_values import count_values


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ([[], [], 1, {}], 7),
        ({"a": 1, "b": [2, 3]}, 4),
        ([",[{", '",[{"', "\\", '\\"[', "\n"], 5),
        ("{[,", 0),
    ],
)
def test_values_are_counted_outside_of_strings(value: object, count: int) -> None:
    text = json.dumps(value)
    assert count_values(text, 0, len(text)) == count
    assert count_values(f"[{text},", 1, 1 + len(text)) == count


def test_text_that_ends_within_a_string_is_counted_in_one_go() -> None:
    # Begun again at each mark, this would take hours.
    for text in ('[,"' + '\\"' * 1_000_000, '[,"' + '\\"' * 1_000_000 + "\\"):
        assert count_values(text, 0, len(text)) == 2
