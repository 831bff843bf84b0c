"""Model records: keys, shape, owners, grants and size, batch by batch."""

from collections.abc import Sequence

from documents import ModelRecord
from documents.grant import PrincipalType
from documents.model import MAX_RECORD_BYTES
from service.database.client import Database
from service.database.exact_bson import Record
from service.doctor.diagnosis import Diagnosis, Kind
from service.doctor.shapes import between, examine_ids, examine_shape
from service.models.derived_keys import StaleRecord, stale_records, store_derived_keys
from service.models.grant_revocation import revoke_grants
from service.models.principals import absent_principals
from service.models.record import CONTENT_FIELDS
from service.models.shape_check import malformed_fields

NEAR_SIZE_LIMIT = MAX_RECORD_BYTES * 8 // 10


async def examine_models(database: Database, diagnosis: Diagnosis) -> None:
    """Look at every model record; mend keys, and take grants to nobody away."""
    await examine_ids(database, diagnosis, ModelRecord)
    async for read, stale in stale_records(database, {"_id": {"$type": "string"}}):
        await _examine_keys(database, diagnosis, stale)
        ids = [record["_id"] for record in read]
        told = [item.record["_id"] for item in stale if item.malformed]
        await examine_shape(database, diagnosis, ModelRecord, ids, told)
        await _examine_sizes(database, diagnosis, ids)
        await _examine_owners(database, diagnosis, read)
        await _examine_grants(database, diagnosis, read)
        diagnosis.look(len(read))


async def _examine_keys(database: Database, diagnosis: Diagnosis, stale: Sequence[StaleRecord]) -> None:
    for item in stale:
        kind = Kind.MALFORMED if item.malformed else Kind.STALE_KEYS
        diagnosis.note(kind, f"model {item.record['_id']!r} {item.problem}")
    if diagnosis.repair:
        # Right keys are given to malformed records too, since access follows from them; mended they are not.
        await store_derived_keys(database, [item for item in stale if item.malformed])
        diagnosis.mend(
            Kind.STALE_KEYS, await store_derived_keys(database, [item for item in stale if not item.malformed])
        )


async def _examine_sizes(database: Database, diagnosis: Diagnosis, ids: Sequence[str]) -> None:
    # As a change measures it: all that people say of a record, without what follows from it.
    size = {"$bsonSize": {field: f"${field}" for field in CONTENT_FIELDS}}
    large = [{"$match": between(ids)}, {"$project": {"size": size}}, {"$match": {"size": {"$gte": NEAR_SIZE_LIMIT}}}]
    for record in await database.aggregate(ModelRecord, large):
        kind = Kind.TOO_LARGE if record["size"] > MAX_RECORD_BYTES else Kind.LARGE
        told = f"model {record['_id']!r} has {record['size']:,} bytes, of {MAX_RECORD_BYTES:,} that are allowed"
        diagnosis.note(kind, told)


async def _examine_owners(database: Database, diagnosis: Diagnosis, records: Sequence[Record]) -> None:
    owned = [record for record in records if isinstance(record.get("user_id"), str)]
    named = {record["user_id"] for record in owned}
    owners = [{"principal_type": PrincipalType.USER.value, "principal_id": user_id} for user_id in named]
    absent = {user_id for _, user_id in await absent_principals(database, owners)}
    for record in owned:
        if record["user_id"] in absent:
            diagnosis.note(
                Kind.NO_OWNER, f"model {record['_id']!r} is owned by {record['user_id']!r}, who does not exist"
            )


async def _examine_grants(database: Database, diagnosis: Diagnosis, records: Sequence[Record]) -> None:
    # Of records that are sound; what is wrong with the others is told of them.
    granting = [record for record in records if "access_grants" not in malformed_fields(record)]
    absent = await absent_principals(database, [grant for record in granting for grant in record["access_grants"]])
    for record in granting if absent else ():
        named = {(grant["principal_type"], grant["principal_id"]) for grant in record["access_grants"]} & absent
        for kind, principal_id in sorted(named):
            told = f"model {record['_id']!r} has a grant to the {kind} {principal_id!r}, who does not exist"
            diagnosis.note(Kind.GRANT_TO_NOBODY, told)
            diagnosis.mend(Kind.GRANT_TO_NOBODY, int(diagnosis.repair))
    if diagnosis.repair and absent:
        await revoke_grants(database, absent, None)
