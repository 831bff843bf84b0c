"""The view `daily_changes`: the number of changes on each day."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from documents import Revision
from documents.revision import ChangeKind
from indexes.views.expressions import Expression, filtered
from indexes.views.view import Column, Stage, View, in_order

_REVISIONS = Revision.Settings.name

_COLUMNS = (
    Column("day", "date", "The day, as its start in UTC.", "2026-05-15T00:00:00Z"),
    Column("change", "string", f"Kind of change: {', '.join(f'`{kind}`' for kind in ChangeKind)}.", "update"),
    Column("changes", "int", "Number of changes.", 17),
    Column("models", "int", "Number of changed models.", 12),
    Column("people", "int", "Number of users who made them; the command line does not count.", 3),
)

# Dates written past the service may be outside the range of years that the server can compute with.
_DATES = {"$gte": datetime(1, 1, 1, tzinfo=UTC), "$lte": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)}


def _end(direction: int) -> list[Stage]:
    return [{"$match": {"at": _DATES}}, {"$sort": {"at": direction}}, {"$limit": 1}, {"$project": {"at": 1}}]


def _after(start: Expression, unit: str, amount: Expression = 1) -> Expression:
    return {"$dateAdd": {"startDate": start, "unit": unit, "amount": amount}}


def _revisions_in(unit: str, start: str, stages: Sequence[Stage], found: str) -> Stage:
    """Return the stage that joins the revisions of a year or a day, found by an index and processed by `stages`."""
    bounds = [{"$gte": ["$at", "$$start"]}, {"$lt": ["$at", "$$end"]}]
    return {
        "$lookup": {
            "from": _REVISIONS,
            "let": {"start": start, "end": _after(start, unit)},
            "pipeline": [{"$match": {"$expr": {"$and": bounds}}}, *stages],
            "as": found,
        }
    }


_YEARS: list[Stage] = [
    *_end(1),
    {"$lookup": {"from": _REVISIONS, "pipeline": _end(-1), "as": "last"}},
    {
        "$project": {
            "year": {"$range": [{"$year": "$at"}, {"$add": [{"$year": {"$first": "$last.at"}}, 1]}]},
        }
    },
    {"$unwind": "$year"},
    {"$set": {"year": {"$dateFromParts": {"year": "$year"}}}},
    _revisions_in("year", "$year", [{"$limit": 1}, {"$project": {"_id": 0, "at": 1}}], "any"),
    {"$match": {"any": {"$ne": []}}},
]
_LENGTH = {"$dateDiff": {"startDate": "$year", "endDate": _after("$year", "year"), "unit": "day"}}
_DAYS: list[Stage] = [
    {
        "$project": {
            "_id": 0,
            "day": {"$map": {"input": {"$range": [0, _LENGTH]}, "in": _after("$year", "day", "$$this")}},
        }
    },
    {"$unwind": "$day"},
]
_COUNTED: dict[str, Any] = {
    "_id": "$change",
    "changes": {"$sum": 1},
    "models": {"$addToSet": "$model_id"},
    "people": {"$addToSet": "$by"},
}
_SIZES = {
    "changes": 1,
    "models": {"$size": "$models"},
    "people": {"$size": filtered("$people", {"$ne": ["$$this", None]})},
}

DAILY_CHANGES = View(
    name="daily_changes",
    source=_REVISIONS,
    meaning="A row is one kind of change on one day; days without changes have no rows.",
    fast="`day`",
    columns=_COLUMNS,
    # The days of all years with changes are generated first, so that a filter by day leaves few days to count.
    pipeline=[
        *_YEARS,
        *_DAYS,
        _revisions_in("day", "$day", [{"$group": _COUNTED}, {"$project": _SIZES}], "of_day"),
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
