"""The expected rows of the views, computed in Python from whole collections; shares no code with the views."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.json_util import dumps
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from tests.support.oracle import Record, fold

Row = dict[str, Any]
Raw = Database[Row]
RAW = CodecOptions(document_class=RawBSONDocument, tz_aware=True)


def by_id(documents: Iterable[Record]) -> dict[str, Record]:
    """Return documents by their ids."""
    return {document["_id"]: document for document in documents}


def unless_deleted(documents: dict[str, Record], identifier: str) -> Record:
    """Return a user or group; an empty document for one that does not exist or is being deleted."""
    found = documents.get(identifier, {})
    return {} if found.get("leaving") else found


def _folded_tags(record: Record) -> list[str]:
    return sorted({fold(tag["name"].strip()) for tag in record["meta"].get("tags", [])})


def _capabilities(record: Record) -> list[str]:
    return [name for name, has in record["meta"].get("capabilities", {}).items() if has is True]


def _of_the_model(record: Record) -> Row:
    """Return the columns that the views of models share."""
    prompt = record["params"].get("system")
    return {
        "owner_id": record["user_id"],
        "base_model_id": record["base_model_id"],
        "is_active": record["is_active"],
        "capabilities": _capabilities(record),
        "prompt_length": len(prompt) if isinstance(prompt, str) else None,
    }


def models_flat(raw: Raw) -> list[Row]:
    users = by_id(raw.users.find())
    sizes = {stored["_id"]: len(stored.raw) for stored in raw.models.with_options(RAW).find()}
    rows = []
    for record in raw.models.find():
        owner = unless_deleted(users, record["user_id"])
        image = record["meta"].get("profile_image_url") or ""
        permissions = Counter(grant["permission"] for grant in record["access_grants"])
        rows.append(
            {
                **{name: record[name] for name in ("_id", "name", "version", "created_at", "updated_at")},
                **_of_the_model(record),
                "sort_name": fold(record["name"]),
                "owner_name": owner.get("name"),
                "owner_email": owner.get("email"),
                "description": record["meta"].get("description"),
                "tags": [tag["name"] for tag in record["meta"].get("tags", [])],
                "folded_tags": _folded_tags(record),
                "grants": permissions.total(),
                "read_grants": permissions["read"],
                "write_grants": permissions["write"],
                "is_public": any(
                    (grant["principal_type"], grant["principal_id"]) == ("user", "*")
                    for grant in record["access_grants"]
                ),
                "params_bytes": len(bson.encode(record["params"])),
                "meta_bytes": len(bson.encode(record["meta"])),
                "size_bytes": sizes[record["_id"]],
                "profile_image_url": image if image and not image.startswith("data:") else None,
                "has_image": image != "",
                "image_bytes": len(image) if image.startswith("data:") else 0,
                "keys": {
                    "name": fold(record["name"]),
                    "tags": _folded_tags(record),
                    "capabilities": sorted(_capabilities(record)),
                },
            }
        )
    return rows


def model_grants(raw: Raw) -> list[Row]:
    principals = {"user": by_id(raw.users.find()), "group": by_id(raw.groups.find())}
    rows = []
    for record in raw.models.find():
        for grant in record["access_grants"]:
            kind, principal_id = grant["principal_type"], grant["principal_id"]
            everyone = (kind, principal_id) == ("user", "*")
            rows.append(
                {
                    "model_id": record["_id"],
                    "model_name": record["name"],
                    **_of_the_model(record),
                    "grant_id": grant["id"],
                    "principal_type": kind,
                    "principal_id": principal_id,
                    "principal_name": (
                        "everyone" if everyone else unless_deleted(principals[kind], principal_id).get("name")
                    ),
                    "permission": grant["permission"],
                    "keys": {"readers": record["keys"]["readers"]},
                }
            )
    return rows


def tag_usage(raw: Raw) -> list[Row]:
    """Return the rows without `shown_as`, for which any spelling of a tag is correct."""
    having = defaultdict(list)
    for record in raw.models.find():
        for tag in _folded_tags(record):
            having[tag].append(record)
    return [
        {
            "tag": tag,
            "models": len(records),
            "active_models": sum(record["is_active"] for record in records),
            "owners": len({record["user_id"] for record in records}),
            "last_used_at": max(record["updated_at"] for record in records),
        }
        for tag, records in having.items()
    ]


def tag_spellings(raw: Raw) -> dict[str, set[str]]:
    """Return all spellings of each tag."""
    ways = defaultdict(set)
    for record in raw.models.find():
        for tag in record["meta"].get("tags", []):
            ways[fold(tag["name"].strip())].add(tag["name"].strip())
    return ways


def daily_changes(raw: Raw) -> list[Row]:
    days = defaultdict(list)
    for revision in raw.revisions.find():
        at = revision["at"]
        days[datetime(at.year, at.month, at.day, tzinfo=UTC), revision["change"]].append(revision)
    return [
        {
            "day": day,
            "change": change,
            "changes": len(revisions),
            "models": len({revision["model_id"] for revision in revisions}),
            "people": len({revision["by"] for revision in revisions} - {None}),
        }
        for (day, change), revisions in days.items()
    ]


_CONTENT = ("user_id", "base_model_id", "name", "params", "meta", "access_grants", "is_active")


def changes(raw: Raw) -> list[Row]:
    users = by_id(raw.users.find())
    rows = []
    for revision in raw.revisions.find():
        before, after, fields = revision["before"], revision["after"], revision.get("fields")
        if fields is None and before is not None and after is not None:
            fields = [name for name in _CONTENT if before.get(name) != after.get(name)]
        rows.append(
            {
                **{name: revision[name] for name in ("_id", "model_id", "version", "at", "by", "change")},
                "by_name": unless_deleted(users, revision["by"]).get("name"),
                "fields": fields,
            }
        )
    return rows


def access_changes(raw: Raw) -> list[Row]:
    histories = defaultdict(list)
    for revision in raw.revisions.find().sort("version"):
        histories[revision["model_id"]].append(revision)
    rows = []
    for revisions in histories.values():
        earlier: Record = {}
        for revision in revisions:
            was = _access(revision["before"] if revision["before"] is not None else earlier)
            earlier = revision["after"] or {}
            shared = {name: revision[name] for name in ("model_id", "version", "at", "by", "change")}
            for effect, found in (("added", _access(earlier) - was), ("removed", was - _access(earlier))):
                for one in found:
                    named = dict(zip(("kind", "principal_type", "principal_id", "permission"), one, strict=True))
                    rows.append({**shared, **named, "effect": effect})
    return rows


def _access(content: Record) -> set[tuple[str, str, str, str]]:
    owner = {("owner", "user", content["user_id"], "write")} if "user_id" in content else set()
    return owner | {
        ("grant", grant["principal_type"], grant["principal_id"], grant["permission"])
        for grant in content.get("access_grants", [])
    }


def in_any_order(rows: Iterable[Row]) -> list[str]:
    """Return rows in a form whose comparison ignores the order of rows and of columns."""
    return sorted(dumps(row, sort_keys=True) for row in rows)
