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
from modeldeck_client.events import Event, ModelHidden, ModelShown, Resync
from modeldeck_client.synchronous import Modeldeck

__all__ = [
    "AsyncModeldeck",
    "Conflict",
    "Event",
    "Forbidden",
    "Gone",
    "Invalid",
    "ModelHidden",
    "ModelShown",
    "Modeldeck",
    "ModeldeckError",
    "NoAnswer",
    "NotFound",
    "Problem",
    "Resync",
    "TimedOut",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "VersionChanged",
]
