"""Text that can be stored and searched: without NUL and lone surrogates."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

NUL_REFUSED = "must not contain the NUL character"
SURROGATE_REFUSED = "must not contain lone surrogates (text that is not valid Unicode)"


def text_problem(text: str) -> str | None:
    """Return what makes `text` impossible to store or to search; None if nothing does."""
    if "\0" in text:
        return NUL_REFUSED
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE_REFUSED
    return None


def _storable(text: str) -> str:
    if problem := text_problem(text):
        raise ValueError(problem)
    return text


STORABLE = AfterValidator(_storable)
"""Refuses text that can't be stored or searched; follows the check of the length, so that lengths are in characters."""


MAX_ID_LENGTH = 256
# Whitespace, and the control characters (Unicode category Cc).
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")


def _printable(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise ValueError("must not contain whitespace or control characters")
    return text


Identifier = Annotated[
    str,
    Field(min_length=1, max_length=MAX_ID_LENGTH, json_schema_extra={"pattern": r"^[^\s\x00-\x1f\x7f-\x9f]+$"}),
    STORABLE,
    AfterValidator(_printable),
]
"""1 to 256 characters without whitespace and control characters; `/` and `:` are allowed."""


def _not_everyone(text: str) -> str:
    if text == "*":
        raise ValueError("must not be *, which stands for everyone")
    return text


PrincipalId = Annotated[Identifier, AfterValidator(_not_everyone)]
"""The id of a user or a group: any identifier but `*`, which means everyone."""
