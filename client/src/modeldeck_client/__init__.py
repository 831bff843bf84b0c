"""A client of Modeldeck, an access-controlled directory of LLM model configurations."""

from modeldeck_client.asynchronous import AsyncModeldeck
from modeldeck_client.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    ModeldeckError,
    NoAnswer,
    NotFound,
    Problem,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    VersionChanged,
)

__all__ = [
    "AsyncModeldeck",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "ModeldeckError",
    "NoAnswer",
    "NotFound",
    "Problem",
    "TimedOut",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "VersionChanged",
]
