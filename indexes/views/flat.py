"""The view `models_flat`: a table of models, with sizes in place of large content."""

from typing import Any

from documents import ModelRecord
from documents.grant import PUBLIC, Permission
from indexes.views.expressions import (
    USERS,
    Expression,
    as_list,
    filtered,
    first_existing,
    object_or_none,
    or_null,
    text_or,
)
from indexes.views.model_fields import (
    BASE_MODEL_ID,
    CAPABILITIES,
    FOLDED_TAGS,
    GRANTS,
    IS_ACTIVE,
    OWNER_ID,
    PROMPT_LENGTH,
    SHARED_FIELDS,
    WRITTEN_TAGS,
)
from indexes.views.view import Column, View, in_order

_BY_INDEX = "filter by it to use an index."
_COLUMNS = (
    Column("_id", "string", "Id of the model.", "sql-tuning"),
    Column("name", "string", "Its name.", "SQL Tuning"),
    Column("sort_name", "string or null", "The name in folded form, by which lists are sorted.", "sql tuning"),
    OWNER_ID,
    Column(
        "owner_name",
        "string or null",
        "The owner's name; null when they do not exist or are being deleted.",
        "Anna Kowalska",
    ),
    Column("owner_email", "string or null", "The owner's email; null in the same cases.", "anna.kowalska@example.com"),
    BASE_MODEL_ID,
    Column("description", "string or null", "Its description.", "Reads query plans and proposes indexes."),
    Column("tags", "array of string", "Its tags as written.", ["SQL", "engineering"]),
    Column(
        "folded_tags", "array of string", "Its tags in folded form, each once: count by these.", ["engineering", "sql"]
    ),
    CAPABILITIES,
    IS_ACTIVE,
    Column("version", "long", "Increases with every change.", 3),
    Column("created_at", "date", "When it was created.", "2026-03-21T16:10:55Z"),
    Column("updated_at", "date", "When it was last changed.", "2026-05-15T11:39:00Z"),
    Column("grants", "int", "Number of its grants.", 2),
    Column("read_grants", "int", "Number of grants with permission `read`.", 1),
    Column("write_grants", "int", "Number of grants with permission `write`, which includes reading.", 1),
    Column("is_public", "bool", "Whether it is shared with everyone.", False),
    PROMPT_LENGTH,
    Column("params_bytes", "int", "Size of `params` in bytes as BSON.", 132),
    Column("meta_bytes", "int", "Size of `meta` in bytes as BSON, including the image.", 402),
    Column("size_bytes", "int", "Size of the whole record in bytes as BSON, including derived keys.", 1893),
    Column(
        "profile_image_url",
        "string or null",
        "Address of its image; null for an image stored in the record.",
        "/static/x.png",
    ),
    Column("has_image", "bool", "Whether it has an image, by address or in the record.", True),
    Column("image_bytes", "int", "Size in bytes of an image stored in the record, as a data URI; otherwise 0.", 0),
    # As they are stored, since a filter by a renamed part of a field could not use the index.
    Column("keys.name", "string", f"The same as `sort_name`; {_BY_INDEX}", "sql tuning"),
    Column("keys.tags", "array of string", f"The same as `folded_tags`; {_BY_INDEX}", ["engineering", "sql"]),
    Column("keys.capabilities", "array of string", f"`capabilities` in order; {_BY_INDEX}", ["function_calling"]),
)

_IMAGE = text_or("$meta.profile_image_url", "")
_IS_INLINE = {"$regexMatch": {"input": _IMAGE, "regex": r"^\s*data:", "options": "i"}}


def _grant_count(permission: Permission) -> Expression:
    return {"$size": filtered(GRANTS, {"$eq": ["$$this.permission", permission.value]})}


# Looked up first: MongoDB runs a join in its faster engine only where nothing but filters comes before it.
_OWNER = "__owner"

FROM_THE_RECORD: dict[str, Any] = {
    "name": 1,
    "sort_name": text_or("$keys.name", None),
    "description": text_or("$meta.description", None),
    "tags": WRITTEN_TAGS,
    "folded_tags": FOLDED_TAGS,
    **SHARED_FIELDS,
    "version": 1,
    "created_at": 1,
    "updated_at": 1,
    "grants": {"$size": GRANTS},
    "read_grants": _grant_count(Permission.READ),
    "write_grants": _grant_count(Permission.WRITE),
    "is_public": {"$in": [PUBLIC, as_list("$keys.readers")]},
    "params_bytes": {"$bsonSize": object_or_none("$params")},
    "meta_bytes": {"$bsonSize": object_or_none("$meta")},
    "size_bytes": {"$bsonSize": {"$unsetField": {"field": _OWNER, "input": "$$ROOT"}}},
    "profile_image_url": {"$cond": [{"$or": [_IS_INLINE, {"$eq": [_IMAGE, ""]}]}, None, _IMAGE]},
    "has_image": {"$ne": [_IMAGE, ""]},
    "image_bytes": {"$cond": [_IS_INLINE, {"$strLenBytes": _IMAGE}, 0]},
    "keys.name": 1,
    "keys.tags": 1,
    "keys.capabilities": 1,
}

MODELS_FLAT = View(
    name="models_flat",
    source=ModelRecord.Settings.name,
    meaning="A row is a model with its owner's name and email, and with sizes in place of prompts and images.",
    fast="`_id`, `owner_id`, `base_model_id`, `created_at`, `updated_at`, `keys.name`, `keys.tags`, "
    "`keys.capabilities`",
    columns=_COLUMNS,
    pipeline=[
        {"$lookup": {"from": USERS, "localField": "user_id", "foreignField": "_id", "as": _OWNER}},
        {"$project": {**FROM_THE_RECORD, "owner": first_existing(f"${_OWNER}")}},
        in_order(_COLUMNS, owner_name=or_null("$owner.name"), owner_email=or_null("$owner.email")),
    ],
)

MODELS_BY_NAME = View(
    name="models_by_name",
    source=ModelRecord.Settings.name,
    # MongoDB does not move a sort before what a view computes, so that one by `sort_name` reads all models first.
    meaning=(
        "The same rows as `models_flat`, in the order of `sort_name` and `_id`: with a limit and without a sort, "
        "no more are read than are wanted."
    ),
    fast="`keys.tags`, `keys.name`",
    columns=_COLUMNS,
    pipeline=[{"$sort": {"keys.name": 1, "_id": 1}}, *MODELS_FLAT.pipeline],
)
