"""Grants to users and groups that are gone: taken out of every record that holds them."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from documents.grant import PrincipalType, group_principal, user_principal
from documents.revision import Change
from service.database.client import Database
from service.database.exact_bson import Record
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
