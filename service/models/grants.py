"""Grants as clients ask for them, made into grants as they are stored."""

from collections.abc import Mapping, Sequence
from typing import Any

from documents.grant import grant_id
from service.database.exact_bson import Record
from service.models.schemas import GrantInput

Grants = Sequence[Mapping[str, Any]]


def asked_grants(model_id: str, forms: Sequence[GrantInput]) -> list[dict[str, Any]]:
    """Return the grants that are asked for, without repetitions, each with its id."""
    named = list(dict.fromkeys(map(_named, forms)))
    # The forms are checked already; there can be very many.
    return [
        {"id": grant_id(model_id, *name), "principal_type": name[0], "principal_id": name[1], "permission": name[2]}
        for name in named
    ]


def replaced_grants(asked: Grants, record: Record) -> list[Mapping[str, Any]]:
    """Return the grants that a record shall have, those that it has already as they are; all, if that changes none."""
    held = {_key(grant): grant for grant in record["access_grants"]}
    if {_key(grant) for grant in asked} == held.keys():
        return list(record["access_grants"])
    return [held.get(_key(grant), grant) for grant in asked]


class Amendment:
    """What shall be taken away from records and what shall be given, looked up quickly however much it is.

    What is removed names a principal; without a permission, all of that principal's grants go.
    """

    def __init__(self, removed: Sequence[Mapping[str, Any]], added: Sequence[GrantInput]) -> None:
        self._removed = {(one["principal_type"], one["principal_id"], one["permission"]) for one in removed}
        self._added = {_named(form): form for form in added}

    def of(self, record: Record) -> list[Mapping[str, Any]]:
        """Return a record's grants without those removed, then those added that it does not have."""
        kept = [grant for grant in record["access_grants"] if not self._removes(grant)]
        held = {_identity(grant) for grant in kept}
        lacking = [form for named, form in self._added.items() if named not in held]
        return kept + asked_grants(record["_id"], lacking)

    def _removes(self, grant: Mapping[str, Any]) -> bool:
        kind, principal_id, permission = _identity(grant)
        return not self._removed.isdisjoint({(kind, principal_id, permission), (kind, principal_id, None)})


def _named(form: GrantInput) -> tuple[str, str, str]:
    return str(form.principal_type), form.principal_id, str(form.permission)


def _identity(grant: Any) -> tuple[Any, ...]:
    values = grant if isinstance(grant, Mapping) else {}
    return tuple(values.get(field) for field in ("principal_type", "principal_id", "permission"))


def _key(grant: Any) -> str:
    # What others have written into a record need not be fit for a set.
    return repr(_identity(grant))
