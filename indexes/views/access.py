"""The views of effective access: which users may read or write which models, and by which paths.

As in the service, `keys.readers` and `keys.writers` decide whether there is access. The paths are computed from the
fields that these are derived from.
"""

from typing import Any

from documents import ModelRecord, User
from documents.grant import EVERYONE, PUBLIC, Permission, PrincipalType
from documents.user import Role
from indexes.views.expressions import (
    GROUPS,
    USERS,
    Expression,
    as_list,
    filtered,
    intersects,
    list_or_none,
    mapped,
    only,
    or_null,
    well_formed_grants,
)
from indexes.views.view import Column, Stage, View

_READ, _WRITE = Permission.READ.value, Permission.WRITE.value
_USER, _GROUP = f"{PrincipalType.USER}:", f"{PrincipalType.GROUP}:"
MODELS = ModelRecord.Settings.name

COLUMNS = (
    Column("user_id", "string", "Id of the user.", "u-ben"),
    Column("user_name", "string", "Their name.", "Ben Okafor"),
    Column("model_id", "string", "Id of the model.", "sql-tuning"),
    Column("model_name", "string", "Its name.", "SQL Tuning"),
    Column(
        "permission", "string", "The highest permission they have: `read`, or `write`, which includes reading.", "write"
    ),
    Column("paths", "array of object", "All paths by which they have access.", []),
    Column(
        "paths.kind",
        "string",
        "`owner`, `admin`, `user` (shared with them), `group` (with a group of theirs), `ancestor_group` (with an "
        "ancestor of such a group) or `public` (with everyone).",
        "ancestor_group",
    ),
    Column("paths.permission", "string", "The permission that this path gives.", "write"),
    Column("paths.group_id", "string or null", "Id of the group that it is shared with.", "g-engineering"),
    Column("paths.group_name", "string or null", "Its name.", "Engineering"),
    Column("paths.through_id", "string or null", "Id of the group of the user that belongs to it.", "g-platform"),
    Column("paths.through_name", "string or null", "Its name.", "Platform"),
)


# A user who is being deleted is already inactive.
ACTIVE: dict[str, Any] = {"_id": {"$type": "string"}, "is_active": only(True)}
ADMINS: dict[str, Any] = {"role": only(Role.ADMIN.value)}

# All groups that a user belongs to, found upwards from their own groups; the shortest way to each group comes first.
_WAYS: list[Stage] = [
    {
        "$graphLookup": {
            "from": GROUPS,
            "startWith": "$_id",
            "connectFromField": "parent_id",
            "connectToField": "_id",
            "as": "group",
            "depthField": "depth",
        }
    },
    {"$unwind": "$group"},
    {"$match": {"group._id": {"$type": "string"}}},
    {
        "$project": {
            "_id": 0,
            "group_id": "$group._id",
            "group_name": or_null("$group.name"),
            "through_id": "$_id",
            "through_name": or_null("$name"),
            "depth": "$group.depth",
        }
    },
    {"$sort": {"depth": 1, "through_id": 1}},
]

# A user with all principals whose grants apply to them.
USER_STAGES: list[Stage] = [
    {
        "$project": {
            "user_id": "$_id",
            "user": {
                "id": "$_id",
                "name": "$name",
                "is_admin": {"$eq": ["$role", Role.ADMIN.value]},
                "own": list_or_none("$group_ids"),
            },
        }
    },
    {
        "$lookup": {
            "from": GROUPS,
            "localField": "user.own",
            "foreignField": "_id",
            "pipeline": _WAYS,
            "as": "user.ways",
        }
    },
    {
        "$set": {
            "user.principals": {
                "$concatArrays": [
                    [PUBLIC, {"$concat": [_USER, "$user.id"]}],
                    mapped("$user.ways.group_id", {"$concat": [_GROUP, "$$this"]}),
                ]
            }
        }
    },
]

_NEEDED = {"name": 1, "user_id": 1, "access_grants": 1, "keys.readers": 1, "keys.writers": 1}


def _path(kind: Expression, permission: Expression, way: str | None = None) -> Expression:
    columns = ("group_id", "group_name", "through_id", "through_name")
    return {"kind": kind, "permission": permission, **{name: f"{way}.{name}" if way else None for name in columns}}


def _granted(kind: str, principal_id: Expression) -> Expression:
    to_them = [
        {"$eq": ["$$this.principal_type", PrincipalType.USER.value]},
        {"$eq": ["$$this.principal_id", principal_id]},
    ]
    return mapped(filtered("$$grants", {"$and": to_them}), _path(kind, "$$this.permission"))


def _by_groups(kind: str, distance: Expression) -> Expression:
    way = {"$first": {"$filter": {"input": "$user.ways", "as": "way", "cond": _LEADS_THERE}}}
    with_way = mapped(
        filtered("$$grants", {"$eq": ["$$this.principal_type", PrincipalType.GROUP.value]}),
        {"permission": "$$this.permission", "way": way},
    )
    return mapped(filtered(with_way, distance), _path(kind, "$$this.permission", "$$this.way"))


_LEADS_THERE = {"$eq": ["$$way.group_id", "$$this.principal_id"]}
_OWNS = {"$and": [{"$eq": ["$model.user_id", "$user.id"]}, {"$ne": ["$user.id", EVERYONE]}]}
_PATHS: Expression = {
    "$let": {
        "vars": {"grants": well_formed_grants("$model.access_grants")},
        "in": {
            "$concatArrays": [
                {"$cond": [_OWNS, [_path("owner", _WRITE)], []]},
                {"$cond": ["$user.is_admin", [_path("admin", _WRITE)], []]},
                _granted("user", "$user.id"),
                _by_groups("group", {"$eq": ["$$this.way.depth", 0]}),
                _by_groups("ancestor_group", {"$gt": ["$$this.way.depth", 0]}),
                _granted("public", EVERYONE),
            ]
        },
    }
}
_MAY_WRITE = {"$or": ["$user.is_admin", intersects("$user.principals", list_or_none("$model.keys.writers"))]}


def _row(user_id: str, model_id: str) -> Stage:
    return {
        "$project": {
            "_id": 0,
            "user_id": user_id,
            "user_name": or_null("$user.name"),
            "model_id": model_id,
            "model_name": or_null("$model.name"),
            "permission": {"$cond": [_MAY_WRITE, _WRITE, _READ]},
            "paths": _PATHS,
        }
    }


_SHARED: list[Stage] = [
    {"$match": {**ACTIVE, "$nor": [ADMINS]}},
    *USER_STAGES,
    {
        "$lookup": {
            "from": MODELS,
            "localField": "user.principals",
            "foreignField": "keys.readers",
            "pipeline": [{"$project": _NEEDED}],
            "as": "model",
        }
    },
    {"$unwind": "$model"},
]
_ALL: list[Stage] = [
    {"$match": {**ACTIVE, **ADMINS}},
    *USER_STAGES,
    {"$lookup": {"from": MODELS, "pipeline": [{"$project": _NEEDED}], "as": "model"}},
    {"$unwind": "$model"},
]

EFFECTIVE_ACCESS = View(
    name="effective_access",
    source=User.Settings.name,
    meaning="A row is an active user and a model that they may read, with their permission and the paths that give it.",
    fast="`user_id`; to filter by model, use `effective_access_by_model`",
    columns=COLUMNS,
    # MongoDB moves a filter by user up to the users in both parts. It can't do so with a filter by model, since the
    # models are joined later; but model_id is set before the paths, so that they are computed only for matching rows.
    pipeline=[
        *_SHARED,
        {"$unionWith": {"coll": USERS, "pipeline": _ALL}},
        {"$set": {"model_id": "$model._id"}},
        _row("$user_id", "$model_id"),
    ],
)


# The ids of the principals of one type among the readers of a model.
def _named(kind: str) -> Expression:
    return mapped(
        filtered("$readers", {"$eq": [{"$indexOfBytes": ["$$this", kind]}, 0]}),
        {"$substrBytes": ["$$this", len(kind), -1]},
    )


_CANDIDATES: Expression = {
    "$or": [
        {"$in": [PUBLIC, "$$readers"]},
        {"$in": [{"$concat": [_USER, "$_id"]}, "$$readers"]},
        {"$eq": ["$role", Role.ADMIN.value]},
        intersects(list_or_none("$group_ids"), "$$groups"),
    ]
}

EFFECTIVE_ACCESS_BY_MODEL = View(
    name="effective_access_by_model",
    source=MODELS,
    meaning="The same rows as `effective_access`, found by model.",
    fast="`model_id`",
    columns=COLUMNS,
    pipeline=[
        {
            "$project": {
                "_id": 0,
                "model_id": "$_id",
                "model": {"name": "$name", "user_id": "$user_id", "access_grants": "$access_grants", "keys": "$keys"},
                "readers": filtered(as_list("$keys.readers"), {"$eq": [{"$type": "$$this"}, "string"]}),
            }
        },
        {"$set": {"granted": _named(_GROUP)}},
        {
            "$graphLookup": {
                "from": GROUPS,
                "startWith": "$granted",
                "connectFromField": "_id",
                "connectToField": "parent_id",
                "as": "below",
            }
        },
        {
            "$lookup": {
                "from": USERS,
                "let": {"readers": "$readers", "groups": {"$concatArrays": ["$granted", "$below._id"]}},
                "pipeline": [
                    {"$match": {**ACTIVE, "$expr": _CANDIDATES}},
                    *USER_STAGES,
                    {"$match": {"$expr": {"$or": ["$user.is_admin", intersects("$user.principals", "$$readers")]}}},
                ],
                "as": "found",
            }
        },
        {"$unwind": "$found"},
        {"$set": {"user": "$found.user"}},
        _row("$user.id", "$model_id"),
    ],
)
