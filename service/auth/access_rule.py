"""The access rule, in one place: who may read and who may write a record.

A caller reads what they own and what is granted, to read or to write, to one of their principals; they write what
they own and what is granted to write; an admin does both to everything. `keys.readers` and `keys.writers` of a record
hold exactly those principals, so the rule is one indexed `$in` that every read starts with.
"""

from collections.abc import Mapping
from typing import Any

from documents.grant import user_principal
from service.auth.authentication import Caller

Match = dict[str, Any]


def readable(caller: Caller) -> Match:
    """Return the match fragment of the records that the caller may read."""
    return {} if caller.is_admin else {"keys.readers": {"$in": list(caller.principals)}}


def writable(caller: Caller) -> Match:
    """Return the match fragment of the records that the caller may write."""
    return {} if caller.is_admin else {"keys.writers": {"$in": list(caller.principals)}}


def managed(caller: Caller) -> Match:
    """Return the match fragment of the records whose grants the caller may change."""
    return {} if caller.is_admin else owned(caller)


def owned(caller: Caller) -> Match:
    """Return the match fragment of the caller's own records."""
    # An owner is always among the readers; naming that one principal keeps to one index scan.
    return {"keys.readers": user_principal(caller.user_id), "user_id": caller.user_id}


def shared(caller: Caller) -> Match:
    """Return the match fragment of others' records that the caller may read."""
    return {**readable(caller), "user_id": {"$ne": caller.user_id}}


def can_manage(caller: Caller, record: Mapping[str, Any]) -> bool:
    """Say whether the caller may change a record's grants or owner: for its owner and admins, not for grantees."""
    return caller.is_admin or record.get("user_id") == caller.user_id


def can_write(caller: Caller, record: Mapping[str, Any]) -> bool:
    """Say whether the caller may write a record, given as stored with at least its `keys.writers`."""
    writers = record["keys"].get("writers") if isinstance(record.get("keys"), Mapping) else None
    named = {writer for writer in writers if isinstance(writer, str)} if isinstance(writers, list) else set()
    return caller.is_admin or not caller.principals.isdisjoint(named)
