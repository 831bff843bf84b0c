"""Counting the values in JSON text, which takes far less time and memory than decoding them."""

import re

_BEFORE_VALUES = ",[{"
# Matches at each quotation mark to which the search comes, also where the text ends within a string: otherwise it would
# begin again at each mark in that string.
_STRING = re.compile(r'"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)', re.DOTALL)


def count_values(text: str, start: int, end: int, enough: int = 0) -> int:
    """Return about how many values there are in a part of a text that begins outside of a string.

    Up to `enough`, commas and brackets in strings count too, which is faster.
    """
    count = sum(text.count(before, start, end) for before in _BEFORE_VALUES)
    if count <= enough:
        return count
    bare = _STRING.sub("", text[start:end])
    return sum(map(bare.count, _BEFORE_VALUES))
