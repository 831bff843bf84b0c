"""The access rule, in one place: who may read and who may write a record.

A caller may read a record that they own or that a grant, to read or to write, gives to one of their principals. They
may write a record that they own or have a write grant for. Admins may do both to every record. The derived keys
`keys.readers` and `keys.writers` contain exactly these principals, so the rule is one indexed `$in` in every query.
`keys.readable` has a field for each of `keys.readers`, so that an index answers the rule together with a search.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from documents.derived_keys import reader_field
from documents.grant import user_principal
from service.auth.authentication import Caller

Match = dict[str, Any]


def readable(caller: Caller) -> Match:
    """Return the match fragment of the records that the caller may read."""
    return {} if caller.is_admin else {"keys.readers": {"$in": list(caller.principals)}}


def readable_rows(caller: Caller, conditions: Sequence[Match]) -> dict[str, Match]:
    """Return match fragments, one for each principal of a caller who is no admin.

    At least one of them matches each record with rows that the caller may read, if its row meets all conditions, of
    which there must be one. None of them matches another record, or one without rows.
    """
    fields = {principal: reader_field(principal) for principal in sorted(caller.principals)}
    return {
        principal: {"$and": [{field: condition} for condition in conditions]} for principal, field in fields.items()
    }


def writable(caller: Caller) -> Match:
    """Return the match fragment of the records that the caller may write."""
    return {} if caller.is_admin else {"keys.writers": {"$in": list(caller.principals)}}


def manageable(caller: Caller) -> Match:
    """Return the match fragment of the records whose grants the caller may change."""
    return {} if caller.is_admin else owned(caller)


def owned(caller: Caller) -> Match:
    """Return the match fragment of the caller's own records."""
    # The owner is always among the readers; matching this one principal needs only one index scan.
    return {"keys.readers": user_principal(caller.user_id), "user_id": caller.user_id}


def shared_with(caller: Caller) -> Match:
    """Return the match fragment of the records of other users that the caller may read."""
    return {**readable(caller), "user_id": {"$ne": caller.user_id}}


def can_manage(caller: Caller, record: Mapping[str, Any]) -> bool:
    """Return whether the caller may change the grants or the owner of a record: its owner and admins may."""
    return caller.is_admin or record.get("user_id") == caller.user_id


def can_write(caller: Caller, record: Mapping[str, Any]) -> bool:
    """Return whether the caller may write a stored record, of which at least `keys.writers` was read."""
    if caller.is_admin:
        return True
    keys = record.get("keys")
    writers = keys.get("writers") if isinstance(keys, dict) else None
    return isinstance(writers, list) and any(
        isinstance(writer, str) and writer in caller.principals for writer in writers
    )
