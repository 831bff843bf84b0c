"""The shape check: whether a stored record, which may be written past the service, is as the service writes it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from documents.grant import Permission, PrincipalType

_TEXT, _TEXT_OR_NULL, _BOOL, _NUMBER = (str,), (str, type(None)), (bool,), (int,)
# A record must have all of these. A field that older records lack is only named in _DECLARED.
_SHAPE: Mapping[str, tuple[type, ...]] = {
    "user_id": _TEXT,
    "base_model_id": _TEXT_OR_NULL,
    "name": _TEXT,
    "meta": (dict,),
    "access_grants": (list,),
    "is_active": _BOOL,
    "version": _NUMBER,
    "created_at": (datetime,),
    "updated_at": (datetime,),
}

_DECLARED = {"_id", "params", "keys", "origin", *_SHAPE}

# The values that each field of a grant can have; an empty set allows any text.
_GRANT: Mapping[str, frozenset[str]] = {
    "id": frozenset(),
    "principal_type": frozenset(PrincipalType),
    "principal_id": frozenset(),
    "permission": frozenset(Permission),
}


def malformed_fields(record: Mapping[str, Any], *, with_params: bool = False) -> list[str]:
    """Return the fields that are missing, of a wrong type, or unknown.

    `params` can be large and is not always read, so it is checked only on request.
    """
    shape = {**_SHAPE, "params": (dict,)} if with_params else _SHAPE
    return unknown_fields(record) + [
        field
        for field, types in shape.items()
        if field not in record
        or not isinstance(record[field], types)
        or (isinstance(record[field], bool) and bool not in types)
        or (field == "access_grants" and not all(map(_is_grant, record[field])))
    ]


def well_formed_grants(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the well-formed grants of a record."""
    grants = record.get("access_grants")
    return [grant for grant in grants if _is_grant(grant)] if isinstance(grants, list) else []


def unknown_fields(record: Mapping[str, Any]) -> list[str]:
    """Return the fields that are not part of the declared shape."""
    return sorted(record.keys() - _DECLARED)


def _is_grant(grant: Any) -> bool:
    if not isinstance(grant, dict) or grant.keys() != _GRANT.keys():
        return False
    return all(isinstance(value, str) and (not _GRANT[name] or value in _GRANT[name]) for name, value in grant.items())
