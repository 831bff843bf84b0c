"""The derived keys of stored records: compare them with recomputed ones, and refresh those that differ."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from documents import ModelRecord, User
from documents.derived_keys import OwnerFields, RecordDerivedKeys, record_derived_keys
from documents.grant import AccessGrant
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.writes import update_one
from service.models.principals import EXISTING
from service.models.shape_check import malformed_fields

# A record can have half a megabyte of grants, and as much of the keys that derive from them.
BATCH = 100
# Everything that the derived keys are computed from, the keys themselves, and what the shape check needs.
_FIELDS = [
    *("user_id", "name", "base_model_id", "meta.tags", "meta.capabilities", "meta.description", "access_grants"),
    *("version", "keys", "is_active", "created_at", "updated_at"),
]


@dataclass(frozen=True, slots=True)
class CheckedRecord:
    """A stored record with its recomputed derived keys, which are None when they can't be derived."""

    record: Record
    keys: RecordDerivedKeys | None

    @property
    def is_stale(self) -> bool:
        """Whether the stored derived keys differ from the recomputed ones."""
        return self.keys is None or not _equal(self.record.get("keys"), self.keys.model_dump())

    @property
    def malformed(self) -> bool:
        """Whether more than the derived keys is wrong, which the service can't repair."""
        return self.keys is None or bool(malformed_fields(self.record))

    @property
    def problem(self) -> str:
        """What is wrong, in a few words."""
        if malformed := malformed_fields(self.record):
            return f"is malformed: {', '.join(malformed)}"
        if self.keys is None:
            return "is malformed: its derived keys can't be computed"
        stored = self.record.get("keys")
        if not isinstance(stored, dict):
            return "has no derived keys"
        derived = self.keys.model_dump()
        differing = [name for name, value in derived.items() if not _equal(stored.get(name), value)]
        return f"has stale derived keys: {', '.join(differing or sorted(stored.keys() - derived.keys()))}"


def _equal(stored: Any, derived: Any) -> bool:
    # Python takes 1 for true, but a query does not.
    if isinstance(stored, dict) and isinstance(derived, dict):
        return stored.keys() == derived.keys() and all(_equal(stored[name], derived[name]) for name in derived)
    return isinstance(stored, bool) == isinstance(derived, bool) and bool(stored == derived)


async def existing_owners(database: Database, user_ids: Sequence[str]) -> dict[str, OwnerFields]:
    """Return what derived keys contain of each of these users who exists and is not being deleted."""
    query = {"_id": {"$in": sorted(set(user_ids))}, **EXISTING}
    found = await database.find(User, query, fields=["name", "email", "username"])
    return {user["_id"]: OwnerFields.of(user) for user in found}


def derived_keys_of(record: Mapping[str, Any], owner: OwnerFields | None) -> RecordDerivedKeys | None:
    """Derive the keys of a stored record; None when the fields they derive from are malformed."""
    try:
        return _derive(record, owner)
    except (AttributeError, KeyError, TypeError, ValidationError):
        return None


def _derive(record: Mapping[str, Any], owner: OwnerFields | None) -> RecordDerivedKeys:
    if not isinstance(record["user_id"], str):
        raise TypeError("user_id must be text")
    return record_derived_keys(
        user_id=record["user_id"],
        name=record["name"],
        base_model_id=record.get("base_model_id"),
        meta=record.get("meta") or {},
        grants=[AccessGrant.model_validate(grant) for grant in record.get("access_grants") or ()],
        owner=owner,
    )


async def check_records(
    database: Database, query: Mapping[str, Any]
) -> AsyncIterator[tuple[list[Record], list[CheckedRecord]]]:
    """Read the records that match; yield, batch by batch, all records and those that are stale or malformed."""
    async for batch in database.batches(ModelRecord, query, fields=_FIELDS, size=BATCH):
        owner_ids = [owner if isinstance(owner := record.get("user_id"), str) else "" for record in batch]
        owners = await existing_owners(database, owner_ids)
        checked = [
            CheckedRecord(record, derived_keys_of(record, owners.get(owner_id)))
            for record, owner_id in zip(batch, owner_ids, strict=True)
        ]
        yield batch, [item for item in checked if item.is_stale or item.malformed]


async def store_derived_keys(database: Database, checked: Sequence[CheckedRecord]) -> int:
    """Store the recomputed keys of records that have not changed since they were read; return how many.

    Malformed records get them too, since access follows from them.
    """
    stale = [(item.record, item.keys.model_dump()) for item in checked if item.keys is not None and item.is_stale]
    writes = [
        update_one({"_id": record["_id"], "version": record.get("version")}, {"$set": {"keys": keys}})
        for record, keys in stale
    ]
    written, _ = await database.write_many(ModelRecord, writes, any_shape=[record["_id"] for record, _ in stale])
    return written


async def refresh_derived_keys(database: Database, query: Mapping[str, Any]) -> int:
    """Refresh the derived keys of all records that match; return how many were stale."""
    refreshed = 0
    async for _, checked in check_records(database, query):
        refreshed += await store_derived_keys(database, checked)
    return refreshed
