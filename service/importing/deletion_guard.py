"""The deletion guard: how many models a sync or an import may delete."""

from typing import Annotated

from pydantic import Field

DEFAULT_MAX_DELETIONS = "10%"
# In Pydantic's regular expressions, `$` does not match before a final newline.
_PERCENTAGE = "^([0-9]{1,2}|100)%$"

MaxDeletions = Annotated[int, Field(strict=True, ge=0)] | Annotated[str, Field(pattern=_PERCENTAGE)]
"""A number, or a share of the models in question, such as `10%`."""


def allows(max_deletions: MaxDeletions, deletions: int, existing: int) -> bool:
    """Return whether this many of the existing models may be deleted."""
    if isinstance(max_deletions, int):
        return deletions <= max_deletions
    return deletions * 100 <= int(max_deletions.removesuffix("%")) * existing
