"""What is left of users and groups that are gone, first of all grants: taken away wherever it is found."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from documents import ApiKey, Group, User
from documents.grant import PrincipalType, group_principal, user_principal
from documents.revision import Change
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ConflictError
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_where
from service.models.principals import Grant, Principal, absent_principals


async def revoke_grants(database: Database, principals: Collection[Principal], by: str | None) -> list[RecordResult]:
    """Take all grants to these principals away; return the outcomes of the records from which that failed."""
    named = {_principal_string(principal) for principal in principals}

    def without(record: Record) -> Mapping[str, Any]:
        grants = record["access_grants"]
        return {"access_grants": [grant for grant in grants if _named_by(grant) not in principals]}

    # Found by the grants themselves: an owner is among the readers too, without a grant, and others can have written
    # a record without keys.
    ids = [principal_id for _, principal_id in principals]
    query = {"keys.readers": {"$in": [*sorted(named), None]}, "access_grants.principal_id": {"$in": ids}}
    failed: list[RecordResult] = []
    async for outcomes in change_where(database, query, BulkChange(Change.ACCESS, by, {}, without)):
        failed += [outcome for outcome in outcomes if outcome.status is RecordStatus.FAILED]
    return failed


async def revoke_absent_grants(database: Database, grants: Iterable[Grant], by: str | None = None) -> None:
    """Take away what was granted to principals that left while the grants were being written.

    To be called after grants were written: whoever leaves is marked first and then looked for in the records, so
    that either they or the writer see it.
    """
    absent = await absent_principals(database, grants)
    if absent:
        await revoke_grants(database, absent, by)


def _named_by(grant: Any) -> Principal | None:
    if not isinstance(grant, dict):
        return None
    kind, principal_id = grant.get("principal_type"), grant.get("principal_id")
    return (kind, principal_id) if isinstance(kind, str) and isinstance(principal_id, str) else None


def _principal_string(principal: Principal) -> str:
    kind, principal_id = principal
    return user_principal(principal_id) if kind == PrincipalType.USER else group_principal(principal_id)


async def clear_leftovers(database: Database, kind: PrincipalType, ids: Collection[str]) -> None:
    """Take away all that was given to ids that nobody has (any more), before somebody gets them.

    A deletion takes it all away; this is for what was written past the service, or by one that was cut off. Models
    that such a user owned stay. Raises ConflictError when a grant is in a record that can't be changed.
    """
    if not ids:
        return
    if failed := await revoke_grants(database, {(kind.value, one) for one in ids}, None):
        named = "; ".join(f"{outcome.model_id}: {outcome.detail}" for outcome in failed[:3])
        raise ConflictError(f"Models still grant something to an earlier {kind} of this id. {named}")
    among = {"$in": sorted(ids)}
    if kind is PrincipalType.USER:
        await database.delete_many(ApiKey, {"user_id": among})
    else:
        members = {"group_ids": {"$elemMatch": among}}
        await database.update_many(User, members, {"$pull": {"group_ids": among}}, any_shape=True)
        await database.update_many(Group, {"parent_id": among}, {"$set": {"parent_id": None}}, any_shape=True)
