"""Removing the grants to users and groups that no longer exist."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from documents.grant import PrincipalType, group_principal, user_principal
from documents.revision import ChangeKind
from service.database.client import Database
from service.database.exact_bson import Record
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
