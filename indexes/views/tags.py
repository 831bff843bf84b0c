"""The view `tag_usage`: the tags and how often they are used."""

from typing import Any

from documents import ModelRecord
from indexes.views.expressions import filtered, list_or_none, mapped
from indexes.views.model_fields import FOLDED_TAGS
from indexes.views.view import Column, View, in_order

_COLUMNS = (
    Column("tag", "string", "The tag in folded form, see `keys.tags`.", "sql"),
    Column("shown_as", "string", "One of its spellings in the models, as far as it can be determined.", "SQL"),
    Column("models", "int", "Number of models with it.", 12),
    Column("active_models", "int", "Number of active models with it.", 11),
    Column("owners", "int", "Number of owners of these models.", 4),
    Column("last_used_at", "date", "When one of these models was last changed.", "2026-05-15T11:39:00Z"),
)

_WRITTEN = mapped(
    filtered(list_or_none("$meta.tags"), {"$eq": [{"$type": "$$this.name"}, "string"]}),
    {"$trim": {"input": "$$this.name"}},
)
_SAME: Any = {"$eq": [{"$toLower": "$$written"}, "$tag"]}
# MongoDB can't fold all of Unicode. A spelling belongs to a tag if both are equal but for ASCII case, or if the model
# has only one tag.
_BELONGS = {"$or": [_SAME, {"$eq": ["$count", 1]}]}

TAG_USAGE = View(
    name="tag_usage",
    source=ModelRecord.Settings.name,
    meaning="A row is one tag that at least one model has.",
    fast="none; every model is read",
    columns=_COLUMNS,
    pipeline=[
        {
            "$project": {
                # A tag that somebody wrote twice into one model counts once.
                "tag": {"$setUnion": [FOLDED_TAGS]},
                "written": _WRITTEN,
                "is_active": 1,
                "user_id": 1,
                "updated_at": 1,
            }
        },
        {"$set": {"count": {"$size": "$tag"}}},
        {"$unwind": "$tag"},
        {"$set": {"written": {"$first": {"$filter": {"input": "$written", "as": "written", "cond": _BELONGS}}}}},
        # Grouped by owner first, so that the memory needed for a tag does not grow with the number of models.
        {
            "$group": {
                "_id": {"tag": "$tag", "owner": "$user_id"},
                "shown_as": {"$min": "$written"},
                "models": {"$sum": 1},
                "active_models": {"$sum": {"$cond": [{"$eq": ["$is_active", True]}, 1, 0]}},
                "last_used_at": {"$max": "$updated_at"},
            }
        },
        {
            "$group": {
                "_id": "$_id.tag",
                "shown_as": {"$min": "$shown_as"},
                "models": {"$sum": "$models"},
                "active_models": {"$sum": "$active_models"},
                "owners": {"$sum": 1},
                "last_used_at": {"$max": "$last_used_at"},
            }
        },
        in_order(_COLUMNS, tag="$_id", shown_as={"$ifNull": ["$shown_as", "$_id"]}),
    ],
)
