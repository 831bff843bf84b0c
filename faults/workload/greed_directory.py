"""The directory in which callers are greedy: users, many models, large models, and a long history."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from faults.environment.replica_set import ReplicaSet
from faults.environment.service import Installation
from service.database.exact_bson import int64

MODELS, LARGE_MODELS, RECORD_BYTES = 8_000, 60, 480_000
VERSIONS = 100
OF_CAT = 30


def fill(replica_set: ReplicaSet, installation: Installation) -> dict[str, str]:
    """Store users, models and a long history; return a key of each user."""
    users = ("ann", "ben", "cat", "dan", "eve")
    lines: list[dict[str, Any]] = [
        {"kind": "user", "id": user, "name": user, "email": f"{user}@example.com"} for user in users
    ]
    lines += [{"kind": "group", "id": "team", "name": "Team", "member_ids": ["ann", "ben", "eve"]}]
    grant = {"principal_type": "group", "principal_id": "team", "permission": "read"}
    small = {"kind": "model", "user_id": "dan", "access_grants": [grant]}
    large = {"kind": "model", "user_id": "ann", "access_grants": [grant], "params": {"system": "x" * RECORD_BYTES}}
    lines += [{**small, "id": f"m{n:05}", "name": f"Model {n}"} for n in range(MODELS)]
    lines += [{**large, "id": f"large{n}", "name": f"Large {n}"} for n in range(LARGE_MODELS)]
    lines += [{"kind": "model", "user_id": "cat", "id": f"cat{n}", "name": f"Of cat {n}"} for n in range(OF_CAT)]
    path = installation.folder / "greed.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    installation.shell.ok("import", str(path))
    with MongoClient[dict[str, Any]](replica_set.uri) as client:
        _store_whole_revisions(client[installation.database], "large0")
    return {user: installation.shell.ok("key", "create", "--user", user) for user in users}


def _store_whole_revisions(stored: Database[dict[str, Any]], model_id: str) -> None:
    """Give a model a history as earlier releases stored it: with the whole content before and after each change."""
    record = stored.models.find_one({"_id": model_id}) or {}
    content = {name: record[name] for name in ("user_id", "base_model_id", "name", "params", "meta", "access_grants")}
    began = datetime.now(UTC) - timedelta(days=1)
    stored.revisions.delete_many({"model_id": model_id})
    for version in range(1, VERSIONS + 1):
        sides = {
            "before": {**content, "is_active": version % 2 == 1},
            "after": {**content, "is_active": version % 2 == 0},
        }
        about = {"model_id": model_id, "version": int64(version), "by": "ann", "change": "toggle"}
        at = began + timedelta(seconds=version)
        stored.revisions.insert_one({"_id": f"{version:032x}", **about, "at": at, **sides})
    stored.models.update_one({"_id": model_id}, {"$set": {"version": int64(VERSIONS), "is_active": True}})
