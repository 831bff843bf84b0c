"""Requests and calls, as they are before anything is sent."""

import random
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, to be sent `after` so many seconds; a `repeatable` one does no harm when it is carried out twice."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = False
    after: float = 0.0


# Yields requests, and is sent the content of the answer to each, or has the ModeldeckError thrown in.
Call = Generator[Request, Any, T]


def get(path: str, **params: Any) -> Request:
    """Return a request that reads; parameters that are None are left out."""
    given = {name: value for name, value in params.items() if value is not None}
    return Request("GET", path, params=given, repeatable=True)


def pauses(first: float = 0.25, longest: float = 8.0) -> Iterator[float]:
    """Yield the seconds to wait before each repetition: more each time, and not the same for all clients."""
    pause = first
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        pause = min(2 * pause, longest)
