"""Grants as clients ask for them, made into grants as they are stored."""

from collections.abc import Mapping, Sequence
from typing import Any

from documents.grant import AccessGrant, grant_id
from documents.model import unique_grants
from service.exact_bson import Record
from service.models.forms import GrantForm

Grants = Sequence[Mapping[str, Any]]


def asked_grants(model_id: str, forms: Sequence[GrantForm]) -> list[dict[str, Any]]:
    """Return the grants that are asked for, without repetitions, each with its id."""
    named = [(form.principal_type, form.principal_id, form.permission) for form in forms]
    grants = [
        AccessGrant(id=grant_id(model_id, *name), principal_type=name[0], principal_id=name[1], permission=name[2])
        for name in named
    ]
    return [grant.model_dump() for grant in unique_grants(grants)]


def replaced_grants(asked: Grants, record: Record) -> list[Mapping[str, Any]]:
    """Return the grants that a record shall have, those that it has already as they are; all, if that changes none."""
    held = {_key(grant): grant for grant in record["access_grants"]}
    if {_key(grant) for grant in asked} == held.keys():
        return list(record["access_grants"])
    return [held.get(_key(grant), grant) for grant in asked]


def amended_grants(removed: Sequence[Mapping[str, Any]], added: Grants, record: Record) -> list[Mapping[str, Any]]:
    """Return a record's grants without those removed, then those added that it does not have.

    What is removed names a principal; without a permission, all of that principal's grants go.
    """
    kept = [grant for grant in record["access_grants"] if not any(_covers(one, grant) for one in removed)]
    held = {_key(grant) for grant in kept}
    return kept + [grant for grant in added if _key(grant) not in held]


def _covers(removal: Mapping[str, Any], grant: Any) -> bool:
    kind, principal_id, permission = _identity(grant)
    named = (removal["principal_type"], removal["principal_id"])
    return named == (kind, principal_id) and removal["permission"] in (None, permission)


def _identity(grant: Any) -> tuple[Any, ...]:
    values = grant if isinstance(grant, Mapping) else {}
    return tuple(values.get(field) for field in ("principal_type", "principal_id", "permission"))


def _key(grant: Any) -> str:
    # What others have written into a record need not be fit for a set.
    return repr(_identity(grant))
