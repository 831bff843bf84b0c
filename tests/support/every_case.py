"""How much is tried: of many cases that are alike a share in `make test`, and every one of them in `make faults`."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

# EVERY_CASE=1 pytest tests/integration/http/test_operators.py
EVERY_CASE = bool(os.environ.get("EVERY_CASE"))


def sample(cases: Iterable[T], one_of: int, number: int = 0) -> Iterator[T]:
    """Yield one case of so many, the first of them by `number`: those with other numbers have the others."""
    return iter(cases) if EVERY_CASE else islice(cases, number % one_of, None, one_of)


def repetitions(usual: int, every_case: int) -> int:
    """Return how often something is done at random."""
    return every_case if EVERY_CASE else usual
