"""What has changed lately in several models at once, for those who may change them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from documents import ModelRecord, Revision
from service.auth import access_rule
from service.auth.authentication import Caller
from service.database.client import Database
from service.models.history.revisions import NAMES_OF_DIFFERING, summary

MAX_MODELS = 100
MOST_OF_ONE = 10


async def changes_since(
    database: Database, caller: Caller, model_ids: Sequence[str], since: datetime
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return summaries of the revisions since then for each of these models that the caller may change, newest first.

    At most the newest ten of each, and, as in a history, none from before the last deletion of its id.
    """
    match = {"_id": {"$in": list(model_ids[:MAX_MODELS])}, **access_rule.writable(caller)}
    models = await database.find(ModelRecord, match, fields=["version"])
    versions = {model["_id"]: model["version"] for model in models if isinstance(model.get("version"), int)}
    if not versions:
        return {}
    deletions: list[dict[str, Any]] = [
        {"$match": {"model_id": {"$in": list(versions)}, "fields": None, "after": None}},
        {"$group": {"_id": "$model_id", "version": {"$max": "$version"}}},
    ]
    deleted = {found["_id"]: found["version"] for found in await database.aggregate(Revision, deletions)}
    visible = [
        {"model_id": model_id, "version": {"$gt": deleted.get(model_id, 0), "$lte": version}}
        for model_id, version in versions.items()
    ]
    newest: list[dict[str, Any]] = [
        {"$match": {"$or": visible, "at": {"$gte": since}}},
        {"$set": {"fields": {"$ifNull": ["$fields", NAMES_OF_DIFFERING]}}},
        {"$unset": ["before", "after"]},
        {"$sort": {"version": -1}},
        {"$group": {"_id": "$model_id", "revisions": {"$firstN": {"input": "$$ROOT", "n": MOST_OF_ONE}}}},
    ]
    found = await database.aggregate(Revision, newest)
    return {one["_id"]: [summary(revision, revision["fields"]) for revision in one["revisions"]] for one in found}
