"""Removing what still refers to users and groups that no longer exist: grants, API keys and memberships."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from documents import ApiKey, Group, User
from documents.grant import PrincipalType, group_principal, user_principal
from documents.revision import ChangeKind
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import ConflictError
from service.models.bulk_change import BulkChange, RecordResult, RecordStatus, change_matching
from service.models.principals import Grant, Principal, absent_principals


async def revoke_grants(database: Database, principals: Collection[Principal], by: str | None) -> list[RecordResult]:
    """Remove all grants to these principals; return the results of the records for which that failed."""
    readers = {_principal_string(principal) for principal in principals}

    def without(record: Record) -> Mapping[str, Any]:
        grants = record["access_grants"]
        return {"access_grants": [grant for grant in grants if _principal_of(grant) not in principals]}

    # Matched by the grants too, because an owner is among the readers without a grant. `None` finds records that
    # were written past the service without derived keys.
    ids = [principal_id for _, principal_id in principals]
    query = {"keys.readers": {"$in": [*sorted(readers), None]}, "access_grants.principal_id": {"$in": ids}}
    failed: list[RecordResult] = []
    async for results in change_matching(database, query, BulkChange(ChangeKind.ACCESS, by, {}, without)):
        failed += [result for result in results if result.status is RecordStatus.FAILED]
    return failed


async def revoke_absent_grants(database: Database, grants: Iterable[Grant], by: str | None = None) -> None:
    """Revoke those of the grants whose principals were deleted while the grants were being written.

    Call this after writing grants. A deletion first marks the principal and then searches the records for grants, so
    that either the deletion finds the new grant or the writer finds the mark.
    """
    absent = await absent_principals(database, grants)
    if absent:
        await revoke_grants(database, absent, by)


def _principal_of(grant: Any) -> Principal | None:
    if not isinstance(grant, dict):
        return None
    kind, principal_id = grant.get("principal_type"), grant.get("principal_id")
    return (kind, principal_id) if isinstance(kind, str) and isinstance(principal_id, str) else None


def _principal_string(principal: Principal) -> str:
    kind, principal_id = principal
    return user_principal(principal_id) if kind == PrincipalType.USER else group_principal(principal_id)


async def clear_leftovers(database: Database, kind: PrincipalType, ids: Collection[str]) -> None:
    """Remove the grants, API keys and memberships that refer to unused ids, before new users or groups get them.

    A deletion removes all of these; others were written past the service or left by an interrupted deletion. Models
    that such a user owned stay. Raises ConflictError when a grant is in a record that can't be changed.
    """
    if not ids:
        return
    if failed := await revoke_grants(database, {(kind.value, one) for one in ids}, None):
        details = "; ".join(f"{result.model_id}: {result.detail}" for result in failed[:3])
        raise ConflictError(f"Models still have grants to an earlier {kind} with this id. {details}")
    among = {"$in": sorted(ids)}
    if kind is PrincipalType.USER:
        await database.delete_many(ApiKey, {"user_id": among})
    else:
        members = {"group_ids": {"$elemMatch": among}}
        await database.update_many(User, members, {"$pull": {"group_ids": among}}, any_shape=True)
        await database.update_many(Group, {"parent_id": among}, {"$set": {"parent_id": None}}, any_shape=True)
