"""What a caller may do with one item of a set, judged on the record as it is at that moment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from documents import ModelRecord
from documents.grant import PrincipalType
from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import TooLargeError
from service.models.bulk_change import malformed_detail
from service.models.grants import replace_grants
from service.models.item import as_stored
from service.models.operations import NOT_MANAGED, READ_ONLY, TAKEN, ids_not_free
from service.models.record import CONTENT_FIELDS, Content, require_storable
from service.models.shape_check import malformed_fields

Problem = tuple[str, str]

NEW: dict[str, Any] = {"base_model_id": None, "params": {}, "meta": {}, "access_grants": [], "is_active": True}


@dataclass(frozen=True, slots=True)
class SentModel:
    """One model of a set: where it stands there, and what is said of it."""

    at: int
    model_id: str
    said: Content

    def whole(self, live: Record | None, caller: Caller) -> Content:
        """Return all that the record shall say; what is not said stays, or gets its default."""
        if live is None:
            return {"user_id": caller.user_id, **NEW, **self.said}
        said = dict(as_stored(self.said, live))
        if "access_grants" in said:
            said["access_grants"] = replace_grants(said["access_grants"], live)
        return {**{field: live[field] for field in CONTENT_FIELDS}, **said}


@dataclass(frozen=True, slots=True)
class ExistingRecords:
    """What is there under an id: the record if the caller may read it, and whether the id is taken at all."""

    record: Record | None
    taken: bool


async def look_up(database: Database, model_ids: Sequence[str], caller: Caller) -> dict[str, ExistingRecords]:
    """Return what is there under each of these ids, for a caller."""
    by_id = {"_id": {"$in": list(model_ids)}}
    readable = await database.find(ModelRecord, {**access_rule.readable(caller), **by_id})
    records = {record["_id"]: record for record in readable}
    # That an id is taken has to be told, as when a single model is created.
    taken = await ids_not_free(database, model_ids, caller)
    return {model_id: ExistingRecords(records.get(model_id), model_id in taken) for model_id in model_ids}


def problems(item: SentModel, live: ExistingRecords, caller: Caller) -> Iterator[Problem]:
    """Yield what forbids that the item is taken over, as pairs of a field and a sentence."""
    record = live.record
    if record is None:
        yield from _problems_of_new(item, live, caller)
        return
    if not access_rule.can_write(caller, record):
        yield "id", READ_ONLY
        return
    if unsound := malformed_fields(record, with_params=True):
        yield "id", malformed_detail(unsound)
        return
    whole = item.whole(record, caller)
    if not access_rule.can_manage(caller, record) and whole["access_grants"] != record["access_grants"]:
        yield "access_grants", NOT_MANAGED
    if not caller.is_admin and whole["user_id"] != record["user_id"]:
        yield "user_id", "only admins may change the owner"
    yield from _size_problem(whole)


def _problems_of_new(item: SentModel, live: ExistingRecords, caller: Caller) -> Iterator[Problem]:
    if live.taken:
        yield "id", TAKEN
        return
    if "name" not in item.said:
        yield "name", "must be given for a new model"
        return
    if not caller.is_admin and item.said.get("user_id", caller.user_id) != caller.user_id:
        yield "user_id", "only admins may create models for others"
    yield from _size_problem(item.whole(None, caller))


def _size_problem(said: Content) -> Iterator[Problem]:
    try:
        require_storable(said)
    except TooLargeError as error:
        yield "id", error.detail


def new_principals(whole: Content, live: Record | None) -> list[Mapping[str, Any]]:
    """Return, as grants, whom a record shall name and does not name yet: grantees and the owner."""
    known = live or {"access_grants": [], "user_id": None}
    held = {tuple(grant.values()) for grant in known["access_grants"]}
    named = [grant for grant in whole["access_grants"] if tuple(grant.values()) not in held]
    if whole["user_id"] != known["user_id"]:
        named.append({"principal_type": PrincipalType.USER, "principal_id": whole["user_id"]})
    return named
