"""Counts over the whole directory for its admins: growth, models out of reach, unused base models, last imports."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from documents import Group, ModelRecord, Revision, User
from documents.revision import ChangeKind
from service.auth import access_rule
from service.auth.authentication import Caller
from service.clock import MAX_SECONDS, epoch_seconds
from service.database.client import Database
from service.models.principals import EXISTING

MONTHS, EXAMPLES, IMPORTS = 24, 10, 8
# Imports are looked for among so many of the last changes.
LAST_CHANGES = 5000
# The server can compute with years up to this.
_LAST = datetime(9999, 12, 31, tzinfo=UTC)

Stages = list[dict[str, Any]]


async def growth(database: Database, caller: Caller) -> list[tuple[str, int]]:
    """Return how many of the models that the caller may read were created in each of the last months that had any."""
    month = {"$dateToString": {"date": "$created_at", "format": "%Y-%m"}}
    dates = {"created_at": {"$type": "date", "$lte": _LAST}}  # the server has UTC
    pipeline: Stages = [
        {"$match": {"$and": [access_rule.readable(caller), dates]}},
        {"$group": {"_id": month, "count": {"$sum": 1}}},
        {"$sort": {"_id": -1}},
        {"$limit": MONTHS},
    ]
    found = await database.aggregate(ModelRecord, pipeline)
    return [(one["_id"], one["count"]) for one in reversed(found)]


async def out_of_reach(database: Database, caller: Caller) -> dict[str, Any]:
    """Return the models that are shared with nobody and whose owner is inactive or absent: only admins reach them."""
    pipeline: Stages = [
        {"$match": {"$and": [access_rule.readable(caller), {"access_grants": []}]}},
        {"$project": {"name": 1, "user_id": 1}},
        {"$lookup": {"from": User.Settings.name, "localField": "user_id", "foreignField": "_id", "as": "owner"}},
        {"$match": {"owner.is_active": {"$ne": True}}},
        *_counted(),
    ]
    return _examples(await database.aggregate(ModelRecord, pipeline))


async def unused_bases(database: Database, caller: Caller) -> dict[str, Any]:
    """Return the base models that no model of the directory configures."""
    users: dict[str, Any] = {
        "from": ModelRecord.Settings.name,
        "localField": "_id",
        "foreignField": "base_model_id",
        "pipeline": [{"$limit": 1}, {"$project": {"_id": 1}}],
        "as": "users",
    }
    pipeline: Stages = [
        {"$match": {"$and": [access_rule.readable(caller), {"base_model_id": None}]}},
        {"$project": {"name": 1}},
        {"$lookup": users},
        {"$match": {"users": []}},
        *_counted(),
    ]
    return _examples(await database.aggregate(ModelRecord, pipeline))


def _counted() -> Stages:
    first: Stages = [{"$sort": {"_id": 1}}, {"$limit": EXAMPLES}, {"$project": {"name": 1}}]
    return [{"$facet": {"first": first, "counted": [{"$count": "total"}]}}]


def _examples(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    [both] = found
    items = [{"id": one["_id"], "name": one.get("name")} for one in both["first"] if isinstance(one["_id"], str)]
    return {"total": both["counted"][0]["total"] if both["counted"] else 0, "items": items}


async def last_imports(database: Database) -> list[dict[str, Any]]:
    """Return the last imports: for each day, kind and user, when the last change was and how many there were.

    Only for admins, who may read every model.
    """
    kinds = [ChangeKind.IMPORT.value, ChangeKind.SYNC.value]
    day = {"$dateToString": {"date": "$at", "format": "%Y-%m-%d"}}
    pipeline: Stages = [
        {"$match": {"at": {"$lte": _LAST}}},  # the server has UTC
        {"$sort": {"at": -1}},
        {"$limit": LAST_CHANGES},
        {"$match": {"$or": [{"change": {"$in": kinds}}, {"imported": True}]}},
        {"$project": {"at": 1, "by": 1, "change": {"$cond": ["$imported", ChangeKind.IMPORT.value, "$change"]}}},
        {
            "$group": {
                "_id": {"day": day, "by": "$by", "change": "$change"},
                "changes": {"$sum": 1},
                "at": {"$max": "$at"},
            }
        },
        {"$sort": {"at": -1}},
        {"$limit": IMPORTS},
    ]
    found = await database.aggregate(Revision, pipeline)
    return [
        {**one["_id"], "changes": one["changes"], "at": min(epoch_seconds(one["at"]), MAX_SECONDS)} for one in found
    ]


async def people(database: Database) -> dict[str, int]:
    """Return how many users, active users and groups there are; only for admins."""
    users = await database.count(User, {**EXISTING})
    active = await database.count(User, {**EXISTING, "is_active": True})
    return {"users": users, "active": active, "groups": await database.count(Group, {**EXISTING})}
