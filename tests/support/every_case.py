"""How many cases are tried: of many similar ones, a sample in `make test`, and every case in `make faults`."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import pytest

T = TypeVar("T")

# EVERY_CASE=1 pytest tests/integration/http/test_operators.py
EVERY_CASE = bool(os.environ.get("EVERY_CASE"))


def sample(cases: Iterable[T], one_of: int, number: int = 0) -> Iterator[T]:
    """Yield every `one_of`-th case, beginning at `number`: different numbers yield different cases."""
    return iter(cases) if EVERY_CASE else islice(cases, number % one_of, None, one_of)


def is_tried(items: Iterable[pytest.Item]) -> Iterator[bool]:
    """Yield for each test whether it runs: of the cases of one marked `sampled(n)`, every n-th."""
    seen: Counter[str] = Counter()
    for item in items:
        marker = item.get_closest_marker("sampled")
        if marker is None or EVERY_CASE:
            yield True
        else:
            name = item.nodeid.partition("[")[0]
            yield seen[name] % marker.args[0] == 0
            seen[name] += 1


def repetitions(usual: int, every_case: int) -> int:
    """Return how often to repeat a random test."""
    return every_case if EVERY_CASE else usual
