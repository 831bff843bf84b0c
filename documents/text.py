"""The text that can be stored and found again: no NUL, no lone surrogates."""

from pydantic import AfterValidator

NUL_REFUSED = "must not contain the NUL character"
SURROGATE_REFUSED = "must not contain lone surrogates (text that is not valid Unicode)"


def text_problem(text: str) -> str | None:
    """Say what makes `text` impossible to store or to search, or return None."""
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
"""Refuses text that can't be stored or searched; stands after the length, whose error then speaks of characters."""
