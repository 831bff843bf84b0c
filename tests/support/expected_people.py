"""The expected rows of the views of people, groups and API keys, computed in Python; shares no code with the views."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.support.expected_views import Raw, Row, by_id, unless_deleted
from tests.support.oracle import Record, fold

# What the views return in no order: lists, and what is in the same order as each.
_UNORDERED = {
    "all_group_ids": "all_group_names",
    **dict.fromkeys(("descendant_ids", "member_ids", "all_member_ids", "joined_group_ids", "left_group_ids")),
}


def people(raw: Raw) -> list[Row]:
    groups, models, keys = by_id(raw.groups.find()), list(raw.models.find()), list(raw.api_keys.find())
    rows = []
    for user in raw.users.find({"leaving": {"$ne": True}}):
        used = [key["last_used_at"] for key in keys if key["user_id"] == user["_id"]]
        every = _upwards(groups, user["group_ids"])
        rows.append(
            {
                **{name: user[name] for name in ("_id", "name", "email", "username", "role", "is_active")},
                **{name: user[name] for name in ("group_ids", "created_at", "updated_at")},
                "group_names": [unless_deleted(groups, group).get("name") for group in user["group_ids"]],
                "all_group_ids": every,
                "all_group_names": [groups[group]["name"] for group in every],
                "models": sum(model["user_id"] == user["_id"] for model in models),
                "api_keys": len(used),
                "last_used_at": max(filter(None, used), default=None),
                "keys": {"email": fold(user["email"])},
            }
        )
    return rows


def _upwards(groups: dict[str, Record], begin: Iterable[Any]) -> list[str]:
    """Return these groups and all above them, as far as they exist, each once."""
    found: dict[str, None] = {}
    pending = list(begin)
    for group in pending:
        if group in groups and group not in found:
            found[group] = None
            pending.append(groups[group]["parent_id"])
    return list(found)


def group_tree(raw: Raw) -> list[Row]:
    groups = by_id(raw.groups.find())
    users = [user for user in raw.users.find() if not user.get("leaving")]
    rows = []
    for group in raw.groups.find({"leaving": {"$ne": True}}):
        above = [one for one in _upwards(groups, [group["parent_id"]]) if one != group["_id"]]
        below = [one for one in groups if one != group["_id"] and group["_id"] in _upwards(groups, [one])]
        direct = [user["_id"] for user in users if group["_id"] in user["group_ids"]]
        every = [user["_id"] for user in users if group["_id"] in _upwards(groups, user["group_ids"])]
        rows.append(
            {
                **{name: group[name] for name in ("_id", "name", "parent_id", "created_at", "updated_at")},
                "parent_name": groups[above[0]]["name"] if above else None,
                "depth": len(above),
                "ancestor_ids": above,
                "ancestor_names": [groups[one]["name"] for one in above],
                "descendant_ids": below,
                "members": len(direct),
                "member_ids": direct,
                "all_members": len(every),
                "all_member_ids": every,
            }
        )
    return rows


def keys_flat(raw: Raw) -> list[Row]:
    users = by_id(raw.users.find())
    rows = []
    for key in raw.api_keys.find():
        owner = unless_deleted(users, key["user_id"])
        rows.append(
            {
                **{name: key[name] for name in ("name", "scope", "created_at", "expires_at", "last_used_at")},
                "owner_id": key["user_id"],
                "owner_name": owner.get("name"),
                "owner_is_active": owner.get("is_active"),
                "is_expired": key["expires_at"] is not None and key["expires_at"] <= datetime.now(UTC),
            }
        )
    return rows


def with_lists_sorted(row: Row) -> Row:
    """Return a row with the lists sorted that the views return in no order."""
    ordered = dict(row)
    for name, beside in _UNORDERED.items():
        if name in row:
            pairs = sorted(zip(row[name], row[beside] if beside else row[name], strict=True))
            ordered[name] = [one for one, _ in pairs]
            if beside:
                ordered[beside] = [other for _, other in pairs]
    return ordered


def people_history(raw: Raw) -> list[Row]:
    users, groups = by_id(raw.users.find()), by_id(raw.groups.find())
    rows = []
    for change in raw.people_changes.find():
        principals = users if change["principal_type"] == "user" else groups
        was, becomes = (set((change[side] or {}).get("group_ids") or []) for side in ("before", "after"))
        rows.append(
            {
                **change,
                **{side: _without_email(change[side]) for side in ("before", "after")},
                "principal_name": unless_deleted(principals, change["principal_id"]).get("name"),
                "by_name": unless_deleted(users, change["by"]).get("name"),
                "joined_group_ids": sorted(becomes - was),
                "left_group_ids": sorted(was - becomes),
            }
        )
    return rows


def _without_email(side: Record | None) -> Record | None:
    return None if side is None else {name: value for name, value in side.items() if name != "email"}
