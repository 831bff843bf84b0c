"""The view `access_changes`: who was given access to which model, or lost it, when and by whom."""

from typing import Any

from documents import Revision
from documents.grant import EVERYONE, Permission, PrincipalType
from indexes.views.changes import AT, BY, CHANGE, MODEL_ID, VERSION
from indexes.views.expressions import Expression, mapped, well_formed_grants
from indexes.views.view import Column, Stage, View, in_order

_REVISIONS = Revision.Settings.name

_COLUMNS = (
    MODEL_ID,
    VERSION,
    AT,
    BY,
    CHANGE,
    Column("kind", "string", "`grant`, or `owner` where the owner of the model is another than before.", "grant"),
    Column("principal_type", "string", "`user` or `group`; an owner is a `user`.", "group"),
    Column("principal_id", "string", "Id of the user or group; `*` with type `user` means everyone.", "g-platform"),
    Column("permission", "string", "`read`, or `write`, which includes reading; of an owner `write`.", "read"),
    Column("effect", "string", "`added` or `removed`.", "removed"),
)


def _access(side: str) -> Expression:
    """Return all that gives access on a side of a revision, each with what it is compared by."""
    granted = mapped(
        well_formed_grants(f"{side}.access_grants"),
        {
            "kind": "grant",
            "principal_type": "$$this.principal_type",
            "principal_id": "$$this.principal_id",
            "permission": "$$this.permission",
        },
    )
    owner = {
        "kind": "owner",
        "principal_type": PrincipalType.USER.value,
        "principal_id": f"{side}.user_id",
        "permission": Permission.WRITE.value,
    }
    has_owner = [{"$eq": [{"$type": f"{side}.user_id"}, "string"]}, {"$ne": [f"{side}.user_id", EVERYONE]}]
    return {"$concatArrays": [{"$cond": [{"$and": has_owner}, [owner], []]}, granted]}


def _only_in(one: str, other: str, effect: str) -> Expression:
    return mapped({"$setDifference": [one, other]}, {"$mergeObjects": ["$$this", {"effect": effect}]})


_OF_ACCESS = [{"fields": None}, {"fields": {"$in": ["access_grants", "user_id"]}}]
_KEPT = dict.fromkeys(("model_id", "version", "at", "by", "change"), 1)

# A revision says what was there before, but for a new model, and one that another system made.
_WITH_BOTH_SIDES: list[Stage] = [
    {"$match": {"$or": [{"before": {"$ne": None}}, {"version": {"$lte": 1}}], "$and": [{"$or": _OF_ACCESS}]}},
    {"$project": {**_KEPT, "was": _access("$before"), "is": _access("$after")}},
]
# Of those, the last revision before it does, if it is no deletion.
_PRECEDING: list[Stage] = [
    {
        "$match": {
            "$expr": {"$and": [{"$eq": ["$model_id", "$$model_id"]}, {"$lt": ["$version", "$$version"]}]},
        }
    },
    {"$sort": {"model_id": 1, "version": -1}},
    {"$limit": 1},
    {"$project": {"_id": 0, "access": _access("$after")}},
]
_AFTER_OTHERS: list[Stage] = [
    {"$match": {"before": None, "version": {"$gt": 1}}},
    {"$project": {**_KEPT, "is": _access("$after")}},
    {
        "$lookup": {
            "from": _REVISIONS,
            "let": {"model_id": "$model_id", "version": "$version"},
            "pipeline": _PRECEDING,
            "as": "last",
        }
    },
    {"$set": {"was": {"$ifNull": [{"$first": "$last.access"}, []]}}},
]
_ROW: dict[str, Any] = {
    name: f"$row.{name}" for name in ("kind", "principal_type", "principal_id", "permission", "effect")
}

ACCESS_CHANGES = View(
    name="access_changes",
    source=_REVISIONS,
    meaning=(
        "A row is one grant that was added to a model or removed from it, or an owner that it got or lost, as far back "
        "as its history is kept. A new model adds its owner and its grants, and a deletion removes them."
    ),
    fast="`model_id`, `at`",
    columns=_COLUMNS,
    pipeline=[
        *_WITH_BOTH_SIDES,
        {"$unionWith": {"coll": _REVISIONS, "pipeline": _AFTER_OTHERS}},
        {
            "$project": {
                **_KEPT,
                "row": {"$concatArrays": [_only_in("$is", "$was", "added"), _only_in("$was", "$is", "removed")]},
            }
        },
        {"$unwind": "$row"},
        in_order(_COLUMNS, **_ROW),
    ],
)
