"""Derived keys of stored records: compute them anew, and mend those that differ."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from documents import ModelRecord, User
from documents.derived_keys import OwnerFacts, RecordDerivedKeys, record_derived_keys
from documents.grant import AccessGrant
from service.database.client import Database
from service.database.exact_bson import Record
from service.database.writes import update_one
from service.models.principals import EXISTING
from service.models.shape_check import malformed_fields

BATCH = 500
# All that the keys are derived from, the keys, and what tells whether the record is sound.
_FIELDS = [
    *("user_id", "name", "base_model_id", "meta.tags", "access_grants", "version", "keys"),
    *("is_active", "created_at", "updated_at"),
]


@dataclass(frozen=True, slots=True)
class StaleRecord:
    """A record that is not what it should be; `keys` are the right ones, None when none can be derived."""

    record: Record
    keys: RecordDerivedKeys | None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong after all."""
        stored = self.record.get("keys")
        return self.keys is not None and stored == self.keys.model_dump() and not malformed_fields(self.record)

    @property
    def malformed(self) -> bool:
        """Whether more is wrong than its keys, which is for whoever wrote it to mend."""
        return self.keys is None or bool(malformed_fields(self.record))

    @property
    def problem(self) -> str:
        """What is wrong, in a few words."""
        if unsound := malformed_fields(self.record):
            return f"is malformed: {', '.join(unsound)}"
        if self.keys is None:
            return "is malformed: keys can't be derived"
        live = self.record.get("keys")
        if not isinstance(live, dict):
            return "has no keys"
        derived = self.keys.model_dump()
        differing = [name for name, value in derived.items() if live.get(name) != value]
        return f"has stale keys: {', '.join(differing or sorted(live.keys() - derived.keys()))}"


async def owners(database: Database, user_ids: Sequence[str]) -> dict[str, OwnerFacts]:
    """Return what keys hold of each of these users who exists and is not on their way out."""
    staying = {"_id": {"$in": sorted(set(user_ids))}, **EXISTING}
    found = await database.find(User, staying, fields=["name", "email", "username"])
    return {user["_id"]: OwnerFacts.of(user) for user in found}


def derived_keys_of(record: Mapping[str, Any], owner: OwnerFacts | None) -> RecordDerivedKeys | None:
    """Derive the keys of a record given as stored; None when what they derive from is malformed."""
    try:
        return _derive(record, owner)
    except (AttributeError, KeyError, TypeError, ValidationError):
        return None


def _derive(record: Mapping[str, Any], owner: OwnerFacts | None) -> RecordDerivedKeys:
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


async def stale_records(
    database: Database, query: Mapping[str, Any]
) -> AsyncIterator[tuple[list[Record], list[StaleRecord]]]:
    """Look through the records that match; yield, batch by batch, those read and which are stale."""
    async for batch in database.batches(ModelRecord, query, fields=_FIELDS, size=BATCH):
        owner_ids = [owner if isinstance(owner := record.get("user_id"), str) else "" for record in batch]
        known = await owners(database, owner_ids)
        derived = [
            StaleRecord(record, derived_keys_of(record, known.get(owner_id)))
            for record, owner_id in zip(batch, owner_ids, strict=True)
        ]
        yield (
            batch,
            [item for item in derived if not item.sound],
        )


async def store_derived_keys(database: Database, stale: Sequence[StaleRecord]) -> int:
    """Store the right keys of records that have not changed since they were read; return of how many.

    Malformed records get them too, since access follows from them.
    """
    mendable = [item for item in stale if item.keys is not None and item.record.get("keys") != item.keys.model_dump()]
    writes = [
        update_one(
            {"_id": item.record["_id"], "version": item.record.get("version")},
            {"$set": {"keys": item.keys.model_dump()}},
        )
        for item in mendable
        if item.keys is not None
    ]
    written, _ = await database.write_many(ModelRecord, writes, any_shape=[item.record["_id"] for item in mendable])
    return written


async def refresh_derived_keys(database: Database, query: Mapping[str, Any]) -> int:
    """Mend the keys of all records that match; return how many were stale."""
    mended = 0
    async for _, stale in stale_records(database, query):
        mended += await store_derived_keys(database, stale)
    return mended
