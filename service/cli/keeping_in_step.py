"""The options of `modeldeck import` that keep models in step with a source, and which of them go together."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from documents.origin import MAX_SOURCE_LENGTH, SourceName
from service.errors import InvalidInputError
from service.importing.deletion_guard import DEFAULT_MAX_DELETIONS, MaxDeletions
from service.importing.plan import OnConflict, Prune

_NEEDS_SOURCE = "needs --source NAME, since only a source that is remembered can be compared with what it said last"


def conflict_policy(given: OnConflict | None, source: str | None) -> OnConflict:
    """Return what to do with a record that exists and differs; raise InvalidInputError for `merge` without a source."""
    if given is OnConflict.MERGE and source is None:
        raise _error("--on-conflict", f"merge {_NEEDS_SOURCE}")
    return given or (OnConflict.UPDATE if source is None else OnConflict.MERGE)


def source_name(source: str | None) -> str | None:
    """Return the name of a source, if there is one; raise InvalidInputError for what is none."""
    try:
        return None if source is None else TypeAdapter(SourceName).validate_python(source)
    except ValidationError:
        msg = f"must have 1 to {MAX_SOURCE_LENGTH} letters, digits, dots, hyphens or underscores"
        raise _error("--source", msg) from None


def prune_options(source: str | None, *, prune: bool, delete: bool, max_deletions: str | None) -> Prune | None:
    """Return what to do with models that have gone from the source; raise InvalidInputError where one is missing."""
    if prune and source is None:
        raise _error("--prune", _NEEDS_SOURCE)
    if delete and not prune:
        raise _error("--delete", "needs --prune")
    if max_deletions is not None and not delete:
        raise _error("--max-deletions", "needs --prune --delete")
    return Prune(delete, _max_deletions(max_deletions)) if prune else None


def _max_deletions(given: str | None) -> MaxDeletions:
    if given is None:
        return DEFAULT_MAX_DELETIONS
    value: Any = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else given
    try:
        found: MaxDeletions = TypeAdapter[Any](MaxDeletions).validate_python(value)
    except ValidationError:
        raise _error("--max-deletions", "must be a number, or a share from 0% to 100%") from None
    return found


def _error(option: str, msg: str) -> InvalidInputError:
    return InvalidInputError([{"loc": [option], "msg": msg}])
