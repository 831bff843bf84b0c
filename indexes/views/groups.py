"""The view `group_tree`: the groups with their ancestors, their descendants and their members."""

from documents import Group
from indexes.views.expressions import EXISTING, GROUPS, USERS, Expression, filtered, mapped, or_null
from indexes.views.view import Column, Stage, View, in_order

_COLUMNS = (
    Column("_id", "string", "Id of the group.", "g-platform"),
    Column("name", "string", "Its name.", "Platform"),
    Column("parent_id", "string or null", "Id of its parent group; null for none.", "g-engineering"),
    Column(
        "parent_name",
        "string or null",
        "The parent's name; null when it has none that exists.",
        "Engineering",
    ),
    Column("depth", "int", "Number of its ancestors: 0 for a group without a parent.", 1),
    Column("ancestor_ids", "array of string", "Its ancestors, the parent first.", ["g-engineering"]),
    Column("ancestor_names", "array of string", "Their names, in the same order.", ["Engineering"]),
    Column("descendant_ids", "array of string", "All groups below it, in no order.", []),
    Column("members", "int", "Number of its direct members.", 2),
    Column("member_ids", "array of string", "The direct members, in no order.", ["u-anna", "u-ben"]),
    Column(
        "all_members",
        "int",
        "Number of the users who have its grants: its members and those of all groups below it.",
        2,
    ),
    Column("all_member_ids", "array of string", "These users, in no order.", ["u-anna", "u-ben"]),
    Column("created_at", "date", "When it was created.", "2026-03-21T16:10:55Z"),
    Column("updated_at", "date", "When it was last changed.", "2026-05-15T11:39:00Z"),
)

# Groups above each other in a circle, written past the service, are ancestors of themselves.
_OTHERS: Expression = {"$ne": ["$$this._id", "$_id"]}
# $graphLookup returns them in no order.
_BY_DISTANCE: Expression = {
    "$reduce": {
        "input": {"$range": [0, {"$size": "$above"}]},
        "initialValue": [],
        "in": {
            "$concatArrays": [
                "$$value",
                {"$filter": {"input": "$above", "as": "one", "cond": {"$eq": ["$$one.distance", "$$this"]}}},
            ]
        },
    }
}


def _members_of(groups: str, found: str) -> Stage:
    return {
        "$lookup": {
            "from": USERS,
            "localField": groups,
            "foreignField": "group_ids",
            # A value that is not a list, written past the service, is no membership.
            "pipeline": [{"$match": {**EXISTING, "group_ids": {"$type": "array"}}}, {"$project": {"_id": 1}}],
            "as": found,
        }
    }


GROUP_TREE = View(
    name="group_tree",
    source=Group.Settings.name,
    meaning="A row is a group with its place among the groups; those that are being deleted have none.",
    fast="`_id`, `parent_id`",
    columns=_COLUMNS,
    pipeline=[
        {"$match": EXISTING},
        {"$project": dict.fromkeys(("name", "parent_id", "created_at", "updated_at"), 1)},
        {
            "$graphLookup": {
                "from": GROUPS,
                "startWith": "$parent_id",
                "connectFromField": "parent_id",
                "connectToField": "_id",
                "depthField": "distance",
                "as": "above",
            }
        },
        {
            "$graphLookup": {
                "from": GROUPS,
                "startWith": "$_id",
                "connectFromField": "_id",
                "connectToField": "parent_id",
                "as": "below",
            }
        },
        {"$set": {"above": filtered(_BY_DISTANCE, _OTHERS), "below": filtered("$below", _OTHERS)}},
        {"$set": {"whole": {"$concatArrays": [["$_id"], "$below._id"]}}},
        _members_of("_id", "direct"),
        _members_of("whole", "all"),
        in_order(
            _COLUMNS,
            parent_name=or_null({"$first": "$above.name"}),
            depth={"$size": "$above"},
            ancestor_ids="$above._id",
            ancestor_names=mapped("$above", or_null("$$this.name")),
            descendant_ids="$below._id",
            members={"$size": "$direct"},
            member_ids="$direct._id",
            all_members={"$size": "$all"},
            all_member_ids="$all._id",
        ),
    ],
)
