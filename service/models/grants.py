"""From the grants in a request to grants as they are stored."""

from collections.abc import Mapping, Sequence
from typing import Any

from documents.grant import grant_id
from service.database.exact_bson import Record
from service.models.schemas import GrantInput

Grants = Sequence[Mapping[str, Any]]


def build_grants(model_id: str, forms: Sequence[GrantInput]) -> list[dict[str, Any]]:
    """Return the requested grants as they are stored: without repetitions, each with its id."""
    unique = list(dict.fromkeys(map(_fields_of, forms)))
    # Not built through the document class: the forms are checked already, and there can be very many.
    return [
        {"id": grant_id(model_id, *named), "principal_type": named[0], "principal_id": named[1], "permission": named[2]}
        for named in unique
    ]


def replace_grants(wanted: Grants, record: Record) -> list[Mapping[str, Any]]:
    """Return the new grants of a record; those that it has already are kept as stored.

    When both sets are equal, the stored list is returned, so that nothing counts as changed.
    """
    stored = {_hashable(grant): grant for grant in record["access_grants"]}
    if {_hashable(grant) for grant in wanted} == stored.keys():
        return list(record["access_grants"])
    return [stored.get(_hashable(grant), grant) for grant in wanted]


class GrantChanges:
    """Grants to remove from records and grants to add, indexed so that very many of them are found quickly.

    A removal names a principal; without a permission, it removes all grants to that principal.
    """

    def __init__(self, removed: Sequence[Mapping[str, Any]], added: Sequence[GrantInput]) -> None:
        self._removed = {(one["principal_type"], one["principal_id"], one["permission"]) for one in removed}
        self._added = {_fields_of(form): form for form in added}

    def apply(self, record: Record) -> list[Mapping[str, Any]]:
        """Return a record's grants without the removed ones, followed by the added ones that it does not have."""
        kept = [grant for grant in record["access_grants"] if not self._removes(grant)]
        present = {_stored_fields(grant) for grant in kept}
        missing = [form for named, form in self._added.items() if named not in present]
        return kept + build_grants(record["_id"], missing)

    def _removes(self, grant: Mapping[str, Any]) -> bool:
        kind, principal_id, permission = _stored_fields(grant)
        return not self._removed.isdisjoint({(kind, principal_id, permission), (kind, principal_id, None)})


def _fields_of(form: GrantInput) -> tuple[str, str, str]:
    return str(form.principal_type), form.principal_id, str(form.permission)


def _stored_fields(grant: Any) -> tuple[Any, ...]:
    values = grant if isinstance(grant, Mapping) else {}
    return tuple(values.get(field) for field in ("principal_type", "principal_id", "permission"))


def _hashable(grant: Any) -> str:
    # Fields that were written past the service may hold values that can't be hashed.
    return repr(_stored_fields(grant))
