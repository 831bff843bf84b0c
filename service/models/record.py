"""Building a whole model record from its content: the one place where stored records are put together."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from documents.derived_keys import OwnerFields, record_derived_keys
from documents.grant import AccessGrant
from documents.model import MAX_RECORD_BYTES
from service.database.exact_bson import Record, document_size, int64, same_content
from service.errors import TooLargeError

Content = Mapping[str, Any]

# The fields that clients can set, in the order in which they are stored. A change reads each from the record that it
# finds, so a field that older records lack needs its default there; CONTRIBUTING.md lists the other places.
CONTENT_FIELDS = ("user_id", "base_model_id", "name", "params", "meta", "access_grants", "is_active")


def build_record(
    model_id: str,
    content: Content,
    *,
    version: int,
    created_at: datetime,
    updated_at: datetime,
    owner: OwnerFields | None,
) -> Record:
    """Return a record as it is stored, derived keys included; `content` has plain values for all `CONTENT_FIELDS`."""
    keys = record_derived_keys(
        user_id=content["user_id"],
        name=content["name"],
        base_model_id=content["base_model_id"],
        meta=content["meta"],
        grants=[AccessGrant.model_construct(**grant) for grant in content["access_grants"]],
        owner=owner,
    )
    return {
        "_id": model_id,
        **{field: content[field] for field in CONTENT_FIELDS},
        "version": int64(version),
        "created_at": created_at,
        "updated_at": updated_at,
        "keys": keys.model_dump(),
    }


def changed_fields(before: Content, after: Content) -> list[str]:
    """Return the names of the fields that differ, or that only one side has."""
    # What a change does not touch is the same object on both sides, which spares its encoding.
    names = [
        name for name in dict.fromkeys([*before, *after]) if before.get(name, before) is not after.get(name, after)
    ]
    if all(name in before and name in after for name in names) and _same(before, after, *names):
        # The usual case when an import is repeated.
        return []
    return [name for name in names if name not in before or name not in after or not _same(before, after, name)]


def _same(before: Content, after: Content, *names: str) -> bool:
    return same_content({name: before[name] for name in names}, {name: after[name] for name in names})


def require_storable(content: Content) -> int:
    """Return the size of the content as BSON in bytes.

    Raises TooLargeError beyond the limit, and ValueError for content that BSON can't represent.
    """
    size = document_size(dict(content))
    if size > MAX_RECORD_BYTES:
        raise TooLargeError(f"The record has {size:,} bytes as BSON; at most {MAX_RECORD_BYTES:,} are allowed.")
    return size
