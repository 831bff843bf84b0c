"""The view `people_history`: who changed which user or group when, and which memberships began and ended by it."""

from itertools import chain

from documents import PeopleChange
from documents.people_change import RECORDED_FIELDS, PeopleChangeKind
from indexes.views.changes import BY
from indexes.views.expressions import GROUPS, USERS, Expression, first_existing, list_or_none, or_null
from indexes.views.view import Column, View, in_order

_COLUMNS = (
    Column("_id", "string", "Id of the change.", "9c1d2e3f4a5b60718293a4b5c6d7e8f9"),
    Column("principal_type", "string", "Whether a `user` or a `group` was changed.", "user"),
    Column("principal_id", "string", "Id of the user or group, which may no longer exist.", "u-anna"),
    Column(
        "principal_name",
        "string or null",
        "Its name now; null when it does not exist or is being deleted.",
        "Anna Kowalska",
    ),
    Column("number", "long", "Counts the changes of one user or group, from 1.", 3),
    Column("at", "date", "When it was changed.", "2026-05-15T11:39:00Z"),
    BY,
    Column(
        "by_name",
        "string or null",
        "The name of that user; null also when they do not exist or are being deleted.",
        "Kenji Sato",
    ),
    Column("change", "string", f"Kind of change: {', '.join(f'`{kind}`' for kind in PeopleChangeKind)}.", "leave"),
    Column(
        "fields",
        "array of string or null",
        "The names of the fields that differ; null where the user or group is created or deleted.",
        ["group_ids"],
    ),
    Column(
        "before",
        "object or null",
        "The fields that differ, but for the email, before the change; null for a creation.",
        {"group_ids": ["g-engineering", "g-platform"]},
    ),
    Column(
        "after",
        "object or null",
        "The same fields after the change; null for a deletion.",
        {"group_ids": ["g-engineering"]},
    ),
    Column("joined_group_ids", "array of string", "The groups that a user became a direct member of.", []),
    Column("left_group_ids", "array of string", "The groups that a user stopped being one of.", ["g-platform"]),
)


# An email would be shown here after its user has been deleted.
_SHOWN = [name for name in dict.fromkeys(chain(*RECORDED_FIELDS.values())) if name != "email"]


def _side(side: str) -> Expression:
    shown = {name: f"${side}.{name}" for name in _SHOWN}
    return {"$cond": [{"$eq": [{"$type": f"${side}"}, "object"]}, shown, None]}


def _only_in(one: str, other: str) -> Expression:
    return {"$setDifference": [list_or_none(f"${one}.group_ids"), list_or_none(f"${other}.group_ids")]}


PEOPLE_HISTORY = View(
    name="people_history",
    source=PeopleChange.Settings.name,
    meaning="A row is one change of a user or a group, as far back as it is recorded.",
    fast="`_id`, `principal_id`, `at`",
    columns=_COLUMNS,
    pipeline=[
        {"$lookup": {"from": USERS, "localField": "by", "foreignField": "_id", "as": "changer"}},
        {"$lookup": {"from": USERS, "localField": "principal_id", "foreignField": "_id", "as": "user"}},
        {"$lookup": {"from": GROUPS, "localField": "principal_id", "foreignField": "_id", "as": "group"}},
        {
            "$set": {
                "changer": first_existing("$changer"),
                "principal": {
                    "$cond": [{"$eq": ["$principal_type", "user"]}, first_existing("$user"), first_existing("$group")]
                },
            }
        },
        in_order(
            _COLUMNS,
            by_name=or_null("$changer.name"),
            principal_name=or_null("$principal.name"),
            before=_side("before"),
            after=_side("after"),
            joined_group_ids=_only_in("after", "before"),
            left_group_ids=_only_in("before", "after"),
        ),
    ],
)
