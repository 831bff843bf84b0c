"""How many cases are tried: of many similar ones, a sample in `make test`, and every case in `make faults`."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

# EVERY_CASE=1 pytest tests/integration/http/test_operators.py
EVERY_CASE = bool(os.environ.get("EVERY_CASE"))


def sample(cases: Iterable[T], one_of: int, number: int = 0) -> Iterator[T]:
    """Yield every `one_of`-th case, beginning at `number`: different numbers yield different cases."""
    return iter(cases) if EVERY_CASE else islice(cases, number % one_of, None, one_of)


def repetitions(usual: int, every_case: int) -> int:
    """Return how often to repeat a random test."""
    return every_case if EVERY_CASE else usual
