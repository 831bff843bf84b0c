"""What an id may look like."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from documents.text import STORABLE

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
"""1 to 256 characters, no whitespace or control characters; `/` and `:` are normal."""


def _not_everyone(text: str) -> str:
    if text == "*":
        raise ValueError("must not be *, which stands for everyone")
    return text


PrincipalId = Annotated[Identifier, AfterValidator(_not_everyone)]
"""The id of a user or a group: an identifier that can't be mistaken for everyone."""
