"""What is exported: users, groups and models, read batch by batch in order of id."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from documents import Group, ModelRecord, User
from indexes.views.flat import FROM_THE_RECORD
from service.auth import access_rule
from service.auth.access_rule import Match
from service.auth.authentication import Caller, RightsCheck, while_entitled
from service.database.client import Database
from service.database.exact_bson import Record
from service.errors import NotFoundError
from service.models.item import ITEM_FIELDS, ITEM_STAGES, owner_of, plain_item, with_owners
from service.models.principals import EXISTING
from service.models.shape_check import malformed_fields

BATCH = 100

Batches = AsyncIterator[Sequence[Record]]

_USER_FIELDS = ("name", "email", "username", "role", "is_active")
_WITH_TEXT_ID: Match = {"_id": {"$type": "string"}}
# The columns that the view `models_flat` computes from the record alone.
_COLUMNS = "__columns"
_COMPUTED = {name: expression for name, expression in FROM_THE_RECORD.items() if isinstance(expression, dict)}
_STAGES_WITH_COLUMNS = [{"$set": {_COLUMNS: _COMPUTED}}, *with_owners((*ITEM_FIELDS, "owner.is_active", _COLUMNS))]


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """One model, its owner as `{id, name, email}` if the owner exists, and the names of its malformed fields.

    `columns` are those that the view `models_flat` computes, and `owner_is_active`, for a format that needs them.
    """

    model: Record
    owner: Record | None
    faults: Sequence[str] = ()
    columns: Record = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExportedContent:
    """The parts of an export; users and groups may be missing.

    A writer calls `left_out` for each part of a model that its format can't have, with the id and what is wrong.
    """

    models: AsyncIterator[Sequence[ExportedModel]]
    users: Batches | None = None
    groups: Batches | None = None
    left_out: Callable[[Any, str], None] = lambda _, __: None


def whole_directory(database: Database, *, with_columns: bool = False) -> ExportedContent:
    """Return everything, for a command that has access to the database."""
    models = _models(database, {}, None, readers_see_params=True, with_columns=with_columns)
    return ExportedContent(models, _users(database), _groups(database))


def readable_content(
    database: Database, caller: Caller, match: Match, check: RightsCheck, *, readers_see_params: bool
) -> ExportedContent:
    """Return the matching models that the caller may read; without a match, an admin gets users and groups too.

    `check` is called for each batch, and ends the export when it raises.
    """
    query = {"$and": [access_rule.readable(caller), match]} if match else access_rule.readable(caller)
    models = while_entitled(_models(database, query, caller, readers_see_params=readers_see_params), check)
    if match or not caller.is_admin:
        return ExportedContent(models)
    return ExportedContent(models, while_entitled(_users(database), check), while_entitled(_groups(database), check))


async def require_readable(database: Database, caller: Caller, model_ids: Sequence[str]) -> None:
    """Raise NotFoundError, which names them, when some of the models are absent or hidden from the caller."""
    query = {**access_rule.readable(caller), "_id": {"$in": list(model_ids)}}
    found = {record["_id"] for record in await database.find(ModelRecord, query, fields=["_id"])}
    missing = [model_id for model_id in dict.fromkeys(model_ids) if model_id not in found]
    if missing:
        raise NotFoundError(f"These models do not exist, or are not shared with you: {', '.join(missing)}")


async def _models(
    database: Database,
    match: Match,
    caller: Caller | None,
    *,
    readers_see_params: bool,
    with_columns: bool = False,
) -> AsyncIterator[Sequence[ExportedModel]]:
    # Neither a route nor an import accepts an id that is not text.
    query = {"$and": [match, _WITH_TEXT_ID]}
    stages = _STAGES_WITH_COLUMNS if with_columns else ITEM_STAGES
    async for batch in database.aggregate_batches(ModelRecord, query, stages, size=BATCH):
        yield [
            ExportedModel(
                plain_item(
                    record, with_params=readers_see_params or caller is None or access_rule.can_write(caller, record)
                ),
                owner_of(record),
                malformed_fields(
                    {name: record[name] for name in record.keys() - {"owner", _COLUMNS}}, with_params=True
                ),
                _columns(record) if with_columns else {},
            )
            for record in batch
        ]


def _columns(record: Record) -> Record:
    # Null for an owner who does not exist or is being deleted, as their name is.
    is_active = None if owner_of(record) is None else record["owner"][0].get("is_active") is True
    return {**record[_COLUMNS], "owner_is_active": is_active}


async def _users(database: Database) -> Batches:
    query = {"$and": [EXISTING, _WITH_TEXT_ID]}
    async for batch in database.batches(User, query, fields=_USER_FIELDS, size=BATCH):
        yield [_exported(user, _USER_FIELDS) for user in batch]


async def _groups(database: Database) -> Batches:
    query = {"$and": [EXISTING, _WITH_TEXT_ID]}
    async for batch in database.batches(Group, query, fields=("name", "parent_id"), size=BATCH):
        members = await _members(database, [group["_id"] for group in batch])
        yield [{**_exported(group, ("name", "parent_id")), "member_ids": members[group["_id"]]} for group in batch]


async def _members(database: Database, group_ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {group_id: [] for group_id in group_ids}
    query = {"$and": [EXISTING, _WITH_TEXT_ID, {"group_ids": {"$in": list(group_ids)}}]}
    for user in await database.find(User, query, fields=["group_ids"], sort=[("_id", 1)]):
        for group_id in user["group_ids"]:
            # A user that was written past the service can have any value there.
            if isinstance(group_id, str) and group_id in found:
                found[group_id].append(user["_id"])
    return found


def _exported(document: Record, fields: Sequence[str]) -> dict[str, Any]:
    return {"id": document["_id"], **{name: document.get(name) for name in fields}}
