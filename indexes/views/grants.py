"""The view `model_grants`: who is named by which model."""

from documents import ModelRecord
from documents.grant import EVERYONE, PrincipalType
from indexes.views.expressions import GROUPS, USERS, known, present, sound_grants
from indexes.views.view import Column, View, in_order

_COLUMNS = (
    # First, where it stays when it is passed on: made anew, it would not take a filter to an index.
    Column(
        "keys.readers",
        "array of string",
        "All who may read the model, as `user:…` and `group:…`: to find the models of one principal by an index.",
        ["group:g-platform", "user:u-anna"],
    ),
    Column("model_id", "string", "Id of the model.", "sql-tuning"),
    Column("model_name", "string", "Its name.", "SQL Tuning"),
    Column("grant_id", "string", "Id of the grant.", "43114972-2dab-58d0-a43a-27ef223e89a6"),
    Column("principal_type", "string", "`user` or `group`.", "group"),
    Column("principal_id", "string", "Id of the user or group; `*` with `user` is everyone.", "g-platform"),
    Column("principal_name", "string or null", "Their name, or `everyone`; null when they are gone.", "Platform"),
    Column("permission", "string", "`read`, or `write`, which includes reading.", "write"),
)

_NAME = {
    "$switch": {
        "branches": [
            {"case": {"$eq": ["$principal_type", PrincipalType.GROUP.value]}, "then": present("$group")},
            {"case": {"$eq": ["$principal_id", EVERYONE]}, "then": {"name": "everyone"}},
        ],
        "default": present("$user"),
    }
}

MODEL_GRANTS = View(
    name="model_grants",
    source=ModelRecord.Settings.name,
    meaning="A row is a grant: whom a model names, and what they may do.",
    fast="`model_id`; `principal_id` together with `keys.readers`",
    columns=_COLUMNS,
    pipeline=[
        {
            "$project": {
                "model_id": "$_id",
                "model_name": "$name",
                "grant": sound_grants("$access_grants"),
                "keys.readers": 1,
            }
        },
        {"$unwind": "$grant"},
        {
            "$set": {
                "grant_id": known("$grant.id"),
                "principal_type": "$grant.principal_type",
                "principal_id": "$grant.principal_id",
                "permission": "$grant.permission",
            }
        },
        # Names come last, for the grants that a filter has left.
        {"$lookup": {"from": USERS, "localField": "principal_id", "foreignField": "_id", "as": "user"}},
        {"$lookup": {"from": GROUPS, "localField": "principal_id", "foreignField": "_id", "as": "group"}},
        {"$set": {"principal": _NAME}},
        in_order(_COLUMNS, principal_name=known("$principal.name"), **{"keys.readers": 1}),
    ],
)
