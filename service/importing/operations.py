"""What both imports of models share: looking up what exists, comparing it, and completing what is to be stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from beanie import Document

from documents import ModelRecord
from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record
from service.models.grants import replace_grants
from service.models.item import as_stored
from service.models.operations import ids_not_free
from service.models.principals import EXISTING
from service.models.record import CONTENT_FIELDS, Content, changed_fields

MAX_CACHED_PRINCIPALS = 100_000

_DEFAULTS: dict[str, Any] = {"base_model_id": None, "params": {}, "meta": {}, "access_grants": [], "is_active": True}
# Times are compared only if the import has them; `version` and the derived keys follow from the content.
_COMPARED = (*CONTENT_FIELDS, "created_at", "updated_at")
# Stored fields that no import needs to name: those of a wrong type are not kept.
_KEPT_TYPES: dict[str, type] = {"user_id": str, "params": dict}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ExistingModel:
    """What exists under an id: the record, if the caller may read it, and whether the id is taken at all."""

    record: Record | None
    taken: bool


async def find_existing(database: Database, ids: Sequence[str], caller: Caller | None) -> dict[str, ExistingModel]:
    """Return what exists under each of these ids, as far as `caller` may know; all of it without a caller."""
    by_id = {"_id": {"$in": list(ids)}}
    query = by_id if caller is None else {**access_rule.readable(caller), **by_id}
    records = {record["_id"]: record for record in await database.find(ModelRecord, query)}
    # Whether an id is taken can't be hidden: creating a single model reveals it too.
    taken = records.keys() if caller is None else await ids_not_free(database, ids, caller)
    return {model_id: ExistingModel(records.get(model_id), model_id in taken) for model_id in ids}


def aligned_content(content: Content, record: Record | None) -> Content:
    """Return the content with what means the same as in the stored record written as it is there.

    Grants are a set, so neither their order nor their ids make a difference; `meta` may be sent as the API shows it.
    A record that was written past the service may hold anything.
    """
    if record is None:
        return content
    aligned = dict(as_stored(content, record) if isinstance(record.get("meta"), dict) else content)
    if "access_grants" in aligned and isinstance(record.get("access_grants"), list):
        aligned["access_grants"] = replace_grants(aligned["access_grants"], record)
    return aligned


def differing_fields(content: Content, record: Record) -> list[str]:
    """Return the fields of the content that differ from the stored record."""
    imported = {field: content[field] for field in _COMPARED if field in content}
    return changed_fields({field: record.get(field) for field in imported}, imported)


def complete_content(content: Content, record: Record | None, owner_id: str | None) -> Content:
    """Return the whole content to be stored: what is not given stays as it is stored, or gets its default."""
    stored = {
        field: value for field, value in (record or {}).items() if isinstance(value, _KEPT_TYPES.get(field, object))
    }
    complete = {"user_id": owner_id, **_DEFAULTS, **stored, **content}
    return {field: complete[field] for field in CONTENT_FIELDS}


class ExistingPrincipals:
    """Users or groups that exist: those in the database, looked up once, and those that this import creates."""

    def __init__(self, database: Database, kind: type[Document]) -> None:
        self._database = database
        self._kind = kind
        self._cached: dict[str, bool] = {}
        self._imported: set[str] = set()

    def add(self, identifier: str) -> None:
        """Count a principal as existing that this import creates, or would create if it were no dry run."""
        self._imported.add(identifier)

    async def filter(self, identifiers: Iterable[str]) -> set[str]:
        """Return those of the given ids that exist."""
        wanted = set(identifiers)
        unknown = sorted(wanted - self._imported - self._cached.keys())
        if unknown:
            query = {"_id": {"$in": unknown}, **EXISTING}
            found = {document["_id"] for document in await self._database.find(self._kind, query, fields=["_id"])}
            self._cached.update((identifier, identifier in found) for identifier in unknown)
        existing = {identifier for identifier in wanted if identifier in self._imported or self._cached[identifier]}
        if len(self._cached) > MAX_CACHED_PRINCIPALS:
            self._cached.clear()
        return existing


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the items in batches of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
