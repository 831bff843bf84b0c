"""The view `changes`: who changed which fields of which model when, without their content."""

from documents import Revision
from documents.revision import ChangeKind
from indexes.views.expressions import USERS, Expression, filtered, first_existing, or_null
from indexes.views.view import Column, View, in_order

VERSION = Column("version", "long", "The version after the change.", 3)
AT = Column("at", "date", "When it was changed.", "2026-05-15T11:39:00Z")
BY = Column("by", "string or null", "Id of the user who changed it; null for the command line.", "u-anna")
CHANGE = Column("change", "string", f"Kind of change: {', '.join(f'`{kind}`' for kind in ChangeKind)}.", "update")
MODEL_ID = Column("model_id", "string", "Id of the model, which may no longer exist.", "sql-tuning")

_COLUMNS = (
    Column("_id", "string", "Id of the change.", "3b1f0e7c9d2a4f5686e1c0d7b9a3f214"),
    MODEL_ID,
    VERSION,
    AT,
    BY,
    Column(
        "by_name",
        "string or null",
        "The name of that user; null also when they do not exist or are being deleted.",
        "Anna Kowalska",
    ),
    CHANGE,
    Column(
        "fields",
        "array of string or null",
        "The names of the fields that differ; null where a model is created or deleted.",
        ["name"],
    ),
)

# The fields of a model that people decide; earlier versions of the service recorded all of them with each change.
_CONTENT = ("user_id", "base_model_id", "name", "params", "meta", "access_grants", "is_active")


def _differing() -> Expression:
    differing = [{"$cond": [{"$ne": [f"$before.{name}", f"$after.{name}"]}, name, None]} for name in _CONTENT]
    return filtered(differing, {"$ne": ["$$this", None]})


def _is_object(field: str) -> Expression:
    return {"$eq": [{"$type": field}, "object"]}


_FIELDS = {
    "$switch": {
        "branches": [
            {"case": {"$isArray": "$fields"}, "then": "$fields"},
            {"case": {"$and": [_is_object("$before"), _is_object("$after")]}, "then": _differing()},
        ],
        "default": None,
    }
}

CHANGES = View(
    name="changes",
    source=Revision.Settings.name,
    meaning="A row is one change of one model, as far back as its history is kept.",
    fast="`_id`, `model_id`, `at`",
    columns=_COLUMNS,
    pipeline=[
        {
            "$project": {
                **dict.fromkeys(("model_id", "version", "at", "by", "change"), 1),
                "fields": _FIELDS,
            }
        },
        {"$lookup": {"from": USERS, "localField": "by", "foreignField": "_id", "as": "user"}},
        {"$set": {"user": first_existing("$user")}},
        in_order(_COLUMNS, by_name=or_null("$user.name")),
    ],
)
