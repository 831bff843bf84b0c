"""The view `access_counts`: how many models each user may read."""

from bson.min_key import MinKey

from documents import User
from indexes.views.access import ACTIVE, ADMINS, MODELS, USER_STAGES
from indexes.views.expressions import USERS, or_null
from indexes.views.view import Column, Stage, View, in_order

_COLUMNS = (
    Column("user_id", "string", "Id of the user.", "u-ben"),
    Column("user_name", "string", "Their name.", "Ben Okafor"),
    Column("readable", "int", "Number of models that they may read.", 12),
)

# Without a condition the server would read the models.
_ANY: Stage = {"$match": {"keys.rows": {"$gte": MinKey()}}}
_COUNT: list[Stage] = [{"$count": "models"}]
_COUNTED = {"$project": {"user_id": 1, "user": 1, "readable": {"$ifNull": [{"$first": "$found.models"}, 0]}}}

ACCESS_COUNTS = View(
    name="access_counts",
    source=User.Settings.name,
    meaning="A row is an active user with the number of their rows in `effective_access`, which are not read for it.",
    fast="`user_id`",
    columns=_COLUMNS,
    # The models of a user are counted on the keys of an index.
    pipeline=[
        {"$match": {**ACTIVE, "$nor": [ADMINS]}},
        *USER_STAGES,
        {
            "$lookup": {
                "from": MODELS,
                "localField": "user.principals",
                "foreignField": "keys.readers",
                "pipeline": _COUNT,
                "as": "found",
            }
        },
        _COUNTED,
        {
            "$unionWith": {
                "coll": USERS,
                "pipeline": [
                    {"$match": {**ACTIVE, **ADMINS}},
                    *USER_STAGES,
                    {"$lookup": {"from": MODELS, "pipeline": [_ANY, *_COUNT], "as": "found"}},
                    _COUNTED,
                ],
            }
        },
        in_order(_COLUMNS, user_name=or_null("$user.name")),
    ],
)
