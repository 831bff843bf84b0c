"""Model records: derived keys, shape, size, owners and grants, batch by batch."""

from collections.abc import Sequence

from documents import ModelRecord
from documents.grant import PrincipalType
from documents.model import MAX_RECORD_BYTES
from service.database.client import Database
from service.database.exact_bson import Record
from service.doctor.diagnosis import Diagnosis, Kind
from service.doctor.shapes import between, examine_ids, examine_shape
from service.models.derived_keys import CheckedRecord, check_records, store_derived_keys
from service.models.grant_revocation import revoke_grants
from service.models.principals import absent_principals
from service.models.record import CONTENT_FIELDS
from service.models.shape_check import malformed_fields

NEAR_SIZE_LIMIT = MAX_RECORD_BYTES * 8 // 10


async def examine_models(database: Database, diagnosis: Diagnosis) -> None:
    """Examine every model record; repair derived keys, and revoke grants to absent principals."""
    await examine_ids(database, diagnosis, ModelRecord)
    async for read, wrong in check_records(database, {"_id": {"$type": "string"}}):
        await _examine_keys(database, diagnosis, wrong)
        ids = [record["_id"] for record in read]
        reported = [item.record["_id"] for item in wrong if item.malformed]
        await examine_shape(database, diagnosis, ModelRecord, ids, reported)
        await _examine_sizes(database, diagnosis, ids)
        await _examine_owners(database, diagnosis, read)
        await _examine_grants(database, diagnosis, read)
        diagnosis.count_examined(len(read))


async def _examine_keys(database: Database, diagnosis: Diagnosis, wrong: Sequence[CheckedRecord]) -> None:
    for item in wrong:
        kind = Kind.MALFORMED if item.malformed else Kind.STALE_KEYS
        diagnosis.add(kind, f"model {item.record['_id']!r} {item.problem}")
    if diagnosis.repair:
        # Malformed records get correct derived keys too, since access follows from them, but are not repaired by it.
        await store_derived_keys(database, [item for item in wrong if item.malformed])
        refreshed = await store_derived_keys(database, [item for item in wrong if not item.malformed])
        diagnosis.add_repaired(Kind.STALE_KEYS, refreshed)


async def _examine_sizes(database: Database, diagnosis: Diagnosis, ids: Sequence[str]) -> None:
    # Measured as for a change: the content, without derived keys.
    size = {"$bsonSize": {field: f"${field}" for field in CONTENT_FIELDS}}
    large = [{"$match": between(ids)}, {"$project": {"size": size}}, {"$match": {"size": {"$gte": NEAR_SIZE_LIMIT}}}]
    for record in await database.aggregate(ModelRecord, large):
        kind = Kind.TOO_LARGE if record["size"] > MAX_RECORD_BYTES else Kind.LARGE
        message = f"model {record['_id']!r} has {record['size']:,} bytes; the limit is {MAX_RECORD_BYTES:,}"
        diagnosis.add(kind, message)


async def _examine_owners(database: Database, diagnosis: Diagnosis, records: Sequence[Record]) -> None:
    owned = [record for record in records if isinstance(record.get("user_id"), str)]
    owner_ids = {record["user_id"] for record in owned}
    owners = [{"principal_type": PrincipalType.USER.value, "principal_id": user_id} for user_id in owner_ids]
    absent = {user_id for _, user_id in await absent_principals(database, owners)}
    for record in owned:
        if record["user_id"] in absent:
            message = f"model {record['_id']!r} is owned by {record['user_id']!r}, who does not exist"
            diagnosis.add(Kind.NO_OWNER, message)


async def _examine_grants(database: Database, diagnosis: Diagnosis, records: Sequence[Record]) -> None:
    # Malformed grants are reported with the shape of the record.
    granting = [record for record in records if "access_grants" not in malformed_fields(record)]
    absent = await absent_principals(database, [grant for record in granting for grant in record["access_grants"]])
    for record in granting if absent else ():
        named = {(grant["principal_type"], grant["principal_id"]) for grant in record["access_grants"]} & absent
        for kind, principal_id in sorted(named):
            message = f"model {record['_id']!r} has a grant to the {kind} {principal_id!r}, which does not exist"
            diagnosis.add(Kind.ABSENT_GRANTEE, message)
            diagnosis.add_repaired(Kind.ABSENT_GRANTEE, int(diagnosis.repair))
    if diagnosis.repair and absent:
        await revoke_grants(database, absent, None)
