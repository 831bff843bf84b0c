"""The view `daily_changes`: how much is changed, day by day."""

from typing import Any

from documents import Revision
from documents.revision import Change
from indexes.views.expressions import filtered
from indexes.views.view import Column, Stage, View, in_order

_REVISIONS = Revision.Settings.name
_DAY_MILLISECONDS = 86_400_000

_COLUMNS = (
    Column("day", "date", "The day, as its first moment in UTC.", "2026-05-15T00:00:00Z"),
    Column("change", "string", f"Kind of change: {', '.join(f'`{kind}`' for kind in Change)}.", "update"),
    Column("changes", "int", "How many there were.", 17),
    Column("models", "int", "How many models they changed.", 12),
    Column("people", "int", "How many people made them; the command line is nobody.", 3),
)


def _end(direction: int) -> list[Stage]:
    # The condition is one that every date meets, and without which no index is used.
    return [{"$match": {"at": {"$type": "date"}}}, {"$sort": {"at": direction}}, {"$limit": 1}, {"$project": {"at": 1}}]


def _day(moment: Any) -> dict[str, Any]:
    return {"$dateTrunc": {"date": moment, "unit": "day"}}


_OF_A_DAY: list[Stage] = [
    {"$match": {"$expr": {"$and": [{"$gte": ["$at", "$$day"]}, {"$lt": ["$at", "$$next"]}]}}},
    {
        "$group": {
            "_id": "$change",
            "changes": {"$sum": 1},
            "models": {"$addToSet": "$model_id"},
            "people": {"$addToSet": "$by"},
        }
    },
    {
        "$project": {
            "changes": 1,
            "models": {"$size": "$models"},
            "people": {"$size": filtered("$people", {"$ne": ["$$this", None]})},
        }
    },
]

_DAYS = {"$add": [{"$dateDiff": {"startDate": "$first", "endDate": "$last", "unit": "day"}}, 1]}
_NTH_DAY = {"$dateAdd": {"startDate": "$first", "unit": "day", "amount": "$$this"}}

DAILY_CHANGES = View(
    name="daily_changes",
    source=_REVISIONS,
    meaning="A row is a kind of change on a day on which there were some.",
    fast="`day`",
    columns=_COLUMNS,
    pipeline=[
        # All days from the first revision to the last; a filter by day leaves few of them before any is counted.
        *_end(1),
        {"$lookup": {"from": _REVISIONS, "pipeline": _end(-1), "as": "last"}},
        {"$set": {"first": _day("$at"), "last": _day({"$first": "$last.at"})}},
        {
            "$project": {
                "_id": 0,
                "day": {"$map": {"input": {"$range": [0, _DAYS]}, "in": _NTH_DAY}},
            }
        },
        {"$unwind": "$day"},
        {
            "$lookup": {
                "from": _REVISIONS,
                "let": {"day": "$day", "next": {"$add": ["$day", _DAY_MILLISECONDS]}},
                "pipeline": _OF_A_DAY,
                "as": "of_day",
            }
        },
        {"$unwind": "$of_day"},
        in_order(
            _COLUMNS,
            change="$of_day._id",
            changes="$of_day.changes",
            models="$of_day.models",
            people="$of_day.people",
        ),
    ],
)
