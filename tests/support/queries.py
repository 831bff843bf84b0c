"""The expected results of the ready queries in docs/data.md, computed in Python from whole collections."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

from tests.support import expected_people, expected_views
from tests.support.expected_views import Raw, Row
from tests.support.oracle import fold


def _columns(rows: Iterable[Row], *names: str) -> list[Row]:
    return [{name: row[name] for name in names} for row in rows]


def _flat(raw: Raw, *names: str, by: Callable[[Row], Any], having: Callable[[Row], bool] = bool) -> list[Row]:
    rows = sorted((row for row in expected_views.models_flat(raw) if having(row)), key=by)
    return _columns(rows, "_id", *names)


def most_shared(raw: Raw) -> list[Row]:
    return _flat(raw, "name", "owner_name", "grants", "is_public", by=lambda row: (-row["grants"], row["_id"]))[:10]


def out_of_reach(raw: Raw) -> list[Row]:
    active = {user["_id"] for user in raw.users.find() if user["is_active"]}
    return _flat(
        raw,
        "name",
        "owner_id",
        "updated_at",
        by=lambda row: row["_id"],
        having=lambda row: row["grants"] == 0 and row["owner_id"] not in active,
    )


def _principals(raw: Raw, user: Row) -> dict[str, str]:
    """Return the groups of a user, including ancestors, with the kind of path to each."""
    groups = {group["_id"]: group for group in raw.groups.find()}
    found = dict.fromkeys(user["group_ids"], "group")
    pending = list(found)
    for group in pending:
        parent = groups[group]["parent_id"]
        if parent is not None and parent not in found:
            found[parent] = "ancestor_group"
            pending.append(parent)
    return found


def _paths(raw: Raw, user: Row, record: Row) -> list[tuple[str, str, str | None]]:
    within = _principals(raw, user)
    names = {group["_id"]: group["name"] for group in raw.groups.find()}
    paths = [("owner", "write", None)] if record["user_id"] == user["_id"] else []
    paths += [("admin", "write", None)] if user["role"] == "admin" else []
    for grant in record["access_grants"]:
        kind, principal = grant["principal_type"], grant["principal_id"]
        if kind == "group" and principal in within:
            paths.append((within[principal], grant["permission"], names[principal]))
        elif kind == "user" and principal in {user["_id"], "*"}:
            paths.append(("public" if principal == "*" else "user", grant["permission"], None))
    order = ["owner", "admin", "user", "group", "ancestor_group", "public"]
    return sorted(paths, key=lambda path: order.index(path[0]))


def _most(paths: list[tuple[str, str, str | None]]) -> str:
    return max(permission for _, permission, _ in paths)


def who_can_see(raw: Raw) -> list[Row]:
    record = raw.models.find_one({"_id": "sql-tuning"})
    assert record is not None
    rows = []
    for user in raw.users.find({"is_active": True}).sort("_id"):
        if paths := _paths(raw, user, record):
            shown = [{"kind": kind, "group_name": group} for kind, _, group in paths]
            rows.append({"user_id": user["_id"], "user_name": user["name"], "permission": _most(paths), "paths": shown})
    return rows


def what_can_they_see(raw: Raw) -> list[Row]:
    user = raw.users.find_one({"_id": "u-tomas"})
    assert user is not None
    seen = [(record, _paths(raw, user, record)) for record in raw.models.find().sort("_id")]
    return [
        {"model_id": record["_id"], "model_name": record["name"], "permission": _most(paths)}
        for record, paths in seen
        if paths
    ]


def growth(raw: Raw) -> list[Row]:
    months = Counter(record["created_at"].replace(day=1, hour=0, minute=0, second=0) for record in raw.models.find())
    total, rows = 0, []
    for month in sorted(months):
        total += months[month]
        rows.append({"_id": month, "new": months[month], "total": total})
    return rows


def prompts_by_length(raw: Raw) -> list[Row]:
    return [{"_id": row["_id"], "name": row["name"], "prompt_length": row["length"]} for row in prompt_beginnings(raw)]


def prompt_beginnings(raw: Raw) -> list[Row]:
    rows = [
        {
            "_id": record["_id"],
            "name": record["name"],
            "length": len(record["params"]["system"]),
            "beginning": record["params"]["system"][:60],
        }
        for record in raw.models.find()
        if isinstance(record["params"].get("system"), str)
    ]
    return sorted(rows, key=lambda row: (-row["length"], row["_id"]))[:10]


def base_gone(raw: Raw) -> list[Row]:
    existing = {record["_id"] for record in raw.models.find()}
    having = defaultdict(list)
    for record in raw.models.find():
        if record["base_model_id"] not in {*existing, None}:
            having[record["base_model_id"]].append(record["is_active"])
    rows = [{"_id": base, "models": len(active), "active": sum(active)} for base, active in having.items()]
    return sorted(rows, key=lambda row: (-row["models"], row["_id"]))


def _folded_tags(record: Row) -> list[str]:
    return sorted({fold(tag["name"].strip()) for tag in record["meta"].get("tags", [])})


def tags_together(raw: Raw) -> list[Row]:
    pairs = Counter(pair for record in raw.models.find() for pair in combinations(_folded_tags(record), 2))
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [{"_id": {"one": one, "other": other}, "models": models} for (one, other), models in ordered][:20]


def by_department(raw: Raw) -> list[Row]:
    having = defaultdict(list)
    for grant in expected_views.model_grants(raw):
        if grant["principal_type"] == "group":
            having[grant["principal_id"]].append(grant)
    rows = [
        {
            "_id": group,
            "name": grants[0]["principal_name"],
            "models": len({grant["model_id"] for grant in grants}),
            "to_write": sum(grant["permission"] == "write" for grant in grants),
        }
        for group, grants in having.items()
    ]
    return sorted(rows, key=lambda row: (-row["models"], row["_id"]))


def shared_with_one(raw: Raw) -> list[Row]:
    rows = [grant for grant in expected_views.model_grants(raw) if grant["principal_id"] == "g-engineering"]
    ordered = sorted(rows, key=lambda row: (row["model_id"], row["permission"]))
    return _columns(ordered, "model_id", "model_name", "permission")


def unused_tags(raw: Raw) -> list[Row]:
    rows = [row for row in expected_views.tag_usage(raw) if row["active_models"] == 0]
    return _columns(sorted(rows, key=lambda row: row["tag"]), "tag", "models", "last_used_at")


def inactive(raw: Raw) -> list[Row]:
    return _flat(
        raw,
        "name",
        "owner_name",
        "updated_at",
        by=lambda row: (row["updated_at"], row["_id"]),
        having=lambda row: not row["is_active"],
    )


def changes_by_day(raw: Raw) -> list[Row]:
    since = datetime.now(UTC) - timedelta(days=30)
    rows = [row for row in expected_views.daily_changes(raw) if row["day"] >= since]
    return sorted(rows, key=lambda row: (row["day"], row["change"]))


def largest(raw: Raw) -> list[Row]:
    sizes = ("size_bytes", "params_bytes", "meta_bytes", "image_bytes")
    return _flat(raw, "name", *sizes, by=lambda row: (-row["size_bytes"], row["_id"]))[:10]


def by_owner(raw: Raw) -> list[Row]:
    owned = Counter(record["user_id"] for record in raw.models.find())
    people = raw.users.find({"leaving": {"$ne": True}})
    rows = [{"_id": user["_id"], "name": user["name"], "models": owned[user["_id"]]} for user in people]
    ordered = sorted(rows, key=lambda row: (-row["models"], row["_id"]))
    return [row for row in ordered if row["models"]][:10]


def two_frames(raw: Raw) -> list[Row]:
    names = {group["_id"]: group["name"] for group in raw.groups.find({"leaving": {"$ne": True}})}
    shared = Counter(
        (group, tag)
        for record in raw.models.find()
        for group in {one["principal_id"] for one in record["access_grants"] if one["principal_type"] == "group"}
        for tag in _folded_tags(record)
    )
    ordered = sorted(shared.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"principal_id": group, "principal_name": names.get(group), "tag": tag, "models": models}
        for (group, tag), models in ordered
    ][:20]


def prompt_percentiles(raw: Raw) -> list[Row]:
    lengths = sorted(
        row["prompt_length"] for row in expected_views.models_flat(raw) if row["prompt_length"] is not None
    )
    ranks = {"median": 50, "p90": 90, "p99": 99}
    found = {name: lengths[-(-percent * len(lengths) // 100) - 1] for name, percent in ranks.items()}
    return [{"models": len(lengths), **found, "longest": lengths[-1]}]


def groups_left(raw: Raw) -> list[Row]:
    rows = [row for row in expected_people.people_history(raw) if row["principal_id"] == "u-tomas"]
    left = sorted((row for row in rows if row["left_group_ids"]), key=lambda row: -row["number"])
    return _columns(left, "_id", "at", "by", "change", "left_group_ids")


ANSWERS: Mapping[str, Callable[[Raw], list[Row]]] = {
    answer.__name__: answer
    for answer in (
        *(most_shared, out_of_reach, who_can_see, what_can_they_see, growth, prompts_by_length, base_gone),
        *(tags_together, by_department, shared_with_one, unused_tags, inactive, changes_by_day, largest),
        *(by_owner, two_frames, prompt_beginnings, prompt_percentiles, groups_left),
    )
}
