"""What is sent to Modeldeck, before anything is sent."""

from collections.abc import Generator, Mapping
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
