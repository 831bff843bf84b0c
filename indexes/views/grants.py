"""The view `model_grants`: the access grants of all models."""

from documents import ModelRecord
from documents.grant import EVERYONE, PrincipalType
from indexes.views.expressions import GROUPS, USERS, name_of, or_null
from indexes.views.model_fields import (
    BASE_MODEL_ID,
    CAPABILITIES,
    GRANTS,
    IS_ACTIVE,
    OWNER_ID,
    PROMPT_LENGTH,
    SHARED_FIELDS,
)
from indexes.views.view import Column, Stage, View, in_order

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

# Looked up first, for all grants of a model at once: MongoDB runs a join in its faster engine only where nothing but
# filters comes before it.
_USERS, _GROUPS = "__users", "__groups"
_NAME = {
    "$switch": {
        "branches": [
            {
                "case": {"$eq": ["$grant.principal_type", PrincipalType.GROUP.value]},
                "then": name_of("$grant.principal_id", f"${_GROUPS}"),
            },
            {"case": {"$eq": ["$grant.principal_id", EVERYONE]}, "then": "everyone"},
        ],
        "default": name_of("$grant.principal_id", f"${_USERS}"),
    }
}


def _principals(documents: str, found: str) -> Stage:
    grantees = {"localField": "access_grants.principal_id", "foreignField": "_id"}
    return {"$lookup": {"from": documents, **grantees, "as": found}}


MODEL_GRANTS = View(
    name="model_grants",
    source=ModelRecord.Settings.name,
    meaning="A row is one access grant of one model.",
    fast="`model_id`, `owner_id`, `base_model_id`; `principal_id` together with `keys.readers`",
    columns=_COLUMNS,
    pipeline=[
        _principals(USERS, _USERS),
        _principals(GROUPS, _GROUPS),
        {
            "$project": {
                "model_id": "$_id",
                "model_name": "$name",
                **SHARED_FIELDS,
                "grant": GRANTS,
                "keys.readers": 1,
                **{f"{found}.{name}": 1 for found in (_USERS, _GROUPS) for name in ("_id", "name", "leaving")},
            }
        },
        {"$unwind": "$grant"},
        {
            "$set": {
                "grant_id": or_null("$grant.id"),
                "principal_type": "$grant.principal_type",
                "principal_id": "$grant.principal_id",
                "permission": "$grant.permission",
                "principal_name": _NAME,
            }
        },
        in_order(_COLUMNS),
    ],
)
