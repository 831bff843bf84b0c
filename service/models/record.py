"""A whole model record from what people say of it: the one place where stored records are put together."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from documents.derived_keys import OwnerFacts, record_derived_keys
from documents.grant import AccessGrant
from documents.model import MAX_RECORD_BYTES
from service.database.exact_bson import Record, document_size, int64, same_content
from service.errors import TooLargeError

Content = Mapping[str, Any]

# All that people can say of a record, in the order in which it is stored.
CONTENT_FIELDS = ("user_id", "base_model_id", "name", "params", "meta", "access_grants", "is_active")


def build_record(
    model_id: str,
    said: Content,
    *,
    version: int,
    created_at: datetime,
    updated_at: datetime,
    owner: OwnerFacts | None,
) -> Record:
    """Return a record as it is stored, keys included; `said` holds plain values for all of `SAID`."""
    keys = record_derived_keys(
        user_id=said["user_id"],
        name=said["name"],
        base_model_id=said["base_model_id"],
        meta=said["meta"],
        grants=[AccessGrant.model_construct(**grant) for grant in said["access_grants"]],
        owner=owner,
    )
    return {
        "_id": model_id,
        **{field: said[field] for field in CONTENT_FIELDS},
        "version": int64(version),
        "created_at": created_at,
        "updated_at": updated_at,
        "keys": keys.model_dump(),
    }


def changed_fields(before: Content, after: Content) -> list[str]:
    """Return the names of the fields that are not the same, or not there, on both sides."""
    if before.keys() == after.keys() and same_content(dict(before), {name: after[name] for name in before}):
        # As most are, in an import that is repeated.
        return []
    names = dict.fromkeys([*before, *after])
    return [name for name in names if not _same(before, after, name)]


def _same(before: Content, after: Content, name: str) -> bool:
    return name in before and name in after and same_content({name: before[name]}, {name: after[name]})


def require_storable(said: Content) -> int:
    """Return the size in bytes of what is said of a record; raise TooLargeError beyond the limit.

    Raises ValueError for what can't be stored at all.
    """
    size = document_size(dict(said))
    if size > MAX_RECORD_BYTES:
        raise TooLargeError(f"The record has {size:,} bytes as BSON; at most {MAX_RECORD_BYTES:,} are allowed.")
    return size
