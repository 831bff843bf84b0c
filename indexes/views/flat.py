"""The view `models_flat`: what a table of models needs, and sizes in place of content."""

from documents import ModelRecord
from documents.grant import PUBLIC, Permission
from indexes.views.expressions import (
    USERS,
    Expression,
    as_list,
    filtered,
    known,
    list_or_none,
    mapped,
    object_or_none,
    present,
    sound_grants,
    text_or,
)
from indexes.views.view import Column, View, in_order

_COLUMNS = (
    Column("_id", "string", "Id of the model.", "sql-tuning"),
    Column("name", "string", "Its name.", "SQL Tuning"),
    Column("owner_id", "string", "Id of its owner, also of one who does not exist any more.", "u-anna"),
    Column("owner_name", "string or null", "The owner's name; null when they are gone or leaving.", "Anna Kowalska"),
    Column("owner_email", "string or null", "The owner's email; null likewise.", "anna.kowalska@example.com"),
    Column("base_model_id", "string or null", "The model that it configures; null for a base model.", "openai/gpt-4o"),
    Column("description", "string or null", "What it is for.", "Reads query plans and proposes indexes."),
    Column("tags", "array of string", "Its tags as they are written.", ["sql", "engineering"]),
    Column("capabilities", "array of string", "Names of the capabilities that are true.", ["function_calling"]),
    Column("is_active", "bool", "Whether it is switched on.", True),
    Column("version", "long", "Counts its changes.", 3),
    Column("created_at", "date", "When it was made.", "2026-03-21T16:10:55Z"),
    Column("updated_at", "date", "When it was last changed.", "2026-05-15T11:39:00Z"),
    Column("grants", "int", "How many grants it has.", 2),
    Column("read_grants", "int", "How many of them are to read.", 1),
    Column("write_grants", "int", "How many of them are to write, which includes reading.", 1),
    Column("is_public", "bool", "Whether it is shared with everyone.", False),
    Column("prompt_length", "int or null", "Characters of its system prompt; null when it has none.", 87),
    Column("params_bytes", "int", "Size of `params` as BSON.", 132),
    Column("meta_bytes", "int", "Size of `meta` as BSON, its image included.", 402),
    Column("size_bytes", "int", "Size of the whole record as BSON, its keys included.", 1893),
    Column("profile_image_url", "string or null", "Address of its image; null for one in the record.", "/static/x.png"),
    Column("has_image", "bool", "Whether it names an image or holds one.", True),
    Column("image_bytes", "int", "Size of the image in the record, as a data URI; 0 for an address.", 0),
)

_IMAGE = text_or("$meta.profile_image_url", "")
_IS_INLINE = {"$regexMatch": {"input": _IMAGE, "regex": r"^\s*data:", "options": "i"}}


def _with(permission: Permission) -> Expression:
    return {"$size": filtered(sound_grants("$access_grants"), {"$eq": ["$$this.permission", permission.value]})}


_FROM_THE_RECORD = {
    "name": 1,
    "owner_id": "$user_id",
    "base_model_id": 1,
    "description": text_or("$meta.description", None),
    "tags": filtered(
        mapped(list_or_none("$meta.tags"), text_or("$$this.name", None)),
        {"$ne": ["$$this", None]},
    ),
    "capabilities": mapped(
        filtered({"$objectToArray": object_or_none("$meta.capabilities")}, {"$eq": ["$$this.v", True]}), "$$this.k"
    ),
    "is_active": 1,
    "version": 1,
    "created_at": 1,
    "updated_at": 1,
    "grants": {"$size": sound_grants("$access_grants")},
    "read_grants": _with(Permission.READ),
    "write_grants": _with(Permission.WRITE),
    "is_public": {"$in": [PUBLIC, as_list("$keys.readers")]},
    "prompt_length": {
        "$cond": [{"$eq": [{"$type": "$params.system"}, "string"]}, {"$strLenCP": text_or("$params.system", "")}, None]
    },
    "params_bytes": {"$bsonSize": object_or_none("$params")},
    "meta_bytes": {"$bsonSize": object_or_none("$meta")},
    "size_bytes": {"$bsonSize": "$$ROOT"},
    "profile_image_url": {"$cond": [{"$or": [_IS_INLINE, {"$eq": [_IMAGE, ""]}]}, None, _IMAGE]},
    "has_image": {"$ne": [_IMAGE, ""]},
    "image_bytes": {"$cond": [_IS_INLINE, {"$strLenBytes": _IMAGE}, 0]},
}

MODELS_FLAT = View(
    name="models_flat",
    source=ModelRecord.Settings.name,
    meaning="A row is a model, with its owner's name and email, and with sizes in place of prompts and images.",
    fast="`_id`, `owner_id`, `base_model_id`, `created_at`, `updated_at`",
    columns=_COLUMNS,
    pipeline=[
        # Before anything is joined: the size is the record's alone, and what is large goes no further.
        {"$project": _FROM_THE_RECORD},
        {"$lookup": {"from": USERS, "localField": "owner_id", "foreignField": "_id", "as": "owner"}},
        {"$set": {"owner": present("$owner")}},
        in_order(_COLUMNS, owner_name=known("$owner.name"), owner_email=known("$owner.email")),
    ],
)
