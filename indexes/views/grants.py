"""The view `model_grants`: the access grants of all models."""

from documents import ModelRecord
from documents.grant import EVERYONE, PrincipalType
from indexes.views.expressions import GROUPS, USERS, first_existing, or_null
from indexes.views.model_fields import (
    BASE_MODEL_ID,
    CAPABILITIES,
    GRANTS,
    IS_ACTIVE,
    OWNER_ID,
    PROMPT_LENGTH,
    SHARED_FIELDS,
)
from indexes.views.view import Column, View, in_order

# Here as in `models_flat`, so that most questions need no join.
_OF_THE_MODEL = (OWNER_ID, BASE_MODEL_ID, IS_ACTIVE, CAPABILITIES, PROMPT_LENGTH)
_COLUMNS = (
    Column("model_id", "string", "Id of the model.", "sql-tuning"),
    Column("model_name", "string", "Its name.", "SQL Tuning"),
    Column("grant_id", "string", "Id of the grant.", "43114972-2dab-58d0-a43a-27ef223e89a6"),
    Column("principal_type", "string", "`user` or `group`.", "group"),
    Column("principal_id", "string", "Id of the user or group; `*` with type `user` means everyone.", "g-platform"),
    Column("principal_name", "string or null", "Its name, or `everyone`; null when it does not exist.", "Platform"),
    Column("permission", "string", "`read`, or `write`, which includes reading.", "write"),
    *_OF_THE_MODEL,
    # As it is stored, since a filter by a renamed part of a field could not use the index.
    Column(
        "keys.readers",
        "array of string",
        "The principals who may read the model, as `user:…` and `group:…`; filter by it to use an index.",
        ["group:g-platform", "user:u-anna"],
    ),
)

_NAME = {
    "$switch": {
        "branches": [
            {"case": {"$eq": ["$principal_type", PrincipalType.GROUP.value]}, "then": first_existing("$group")},
            {"case": {"$eq": ["$principal_id", EVERYONE]}, "then": {"name": "everyone"}},
        ],
        "default": first_existing("$user"),
    }
}

MODEL_GRANTS = View(
    name="model_grants",
    source=ModelRecord.Settings.name,
    meaning="A row is one access grant of one model.",
    fast="`model_id`, `owner_id`, `base_model_id`; `principal_id` together with `keys.readers`",
    columns=_COLUMNS,
    pipeline=[
        {
            "$project": {
                "model_id": "$_id",
                "model_name": "$name",
                **SHARED_FIELDS,
                "grant": GRANTS,
                "keys.readers": 1,
            }
        },
        {"$unwind": "$grant"},
        {
            "$set": {
                "grant_id": or_null("$grant.id"),
                "principal_type": "$grant.principal_type",
                "principal_id": "$grant.principal_id",
                "permission": "$grant.permission",
            }
        },
        # Joined last, so that names are looked up only for the grants that match a filter.
        {"$lookup": {"from": USERS, "localField": "principal_id", "foreignField": "_id", "as": "user"}},
        {"$lookup": {"from": GROUPS, "localField": "principal_id", "foreignField": "_id", "as": "group"}},
        {"$set": {"principal": _NAME}},
        in_order(_COLUMNS, principal_name=or_null("$principal.name")),
    ],
)
