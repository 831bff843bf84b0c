"""A model record as the API shows it to one caller."""

from collections.abc import Iterable, Mapping
from typing import Any

from documents import User
from documents.image import IMAGE, LOCAL
from service.auth import access_rule
from service.auth.authentication import Caller
from service.clock import epoch_seconds
from service.database.exact_bson import Record
from service.http.root_path import own_path, public_path
from service.models.record import CONTENT_FIELDS, Content, changed_fields
from service.models.shape_check import well_formed_grants

# Fields of `meta` that every response has, with their values for records that lack them.
META_DEFAULTS: dict[str, Any] = {IMAGE: "/static/favicon.png", "description": "", "capabilities": {}}


# Of a larger record, a page holds only the id and this field, its size in bytes; it is read when it is sent. The size
# is that of the stored record: to measure anything made of it, the server would have to build that first.
LARGE, LARGE_BYTES = "__large_bytes", 100_000
# The part of a list that a record is from, if not the first; see `service/listing/parts.py`.
PART = "__part"
# By these a list goes on after a record.
_PLACE = ("created_at", "updated_at", "keys.name", PART)
WITHOUT_LARGE: dict[str, Any] = {
    "$replaceWith": {
        "$cond": [
            {"$gt": [{"$bsonSize": "$$ROOT"}, LARGE_BYTES]},
            {
                **{field: f"${field}" for field in ("_id", "created_at", "updated_at", PART)},
                "keys": {"name": "$keys.name"},
                LARGE: {"$bsonSize": "$$ROOT"},
            },
            "$$ROOT",
        ]
    }
}

_OF_OWNER = "owner."
NEEDED_OF_OWNER = ("owner._id", "owner.name", "owner.email", "owner.leaving")
# What a response needs. `keys.writers` decides `write_access`; the other derived keys only serve search.
ITEM_FIELDS = (
    *(*CONTENT_FIELDS, "version", "keys.writers", *_PLACE),
    *NEEDED_OF_OWNER,
    # Only in the place of a large record, see `WITHOUT_LARGE`.
    LARGE,
)


def gathered_with_owners(fields: Iterable[str]) -> list[dict[str, Any]]:
    """Return the stages that make one document of some records: `records`, with these fields, in order, and `owners`.

    All owners are looked up at once: one lookup for each record would take longer than to find the records. What they
    yield is for `with_gathered_owners`: to put the owners into the records takes the server longer.
    """
    needed = dict.fromkeys(fields, 1)
    of_record = {field: 1 for field in needed if not field.startswith(_OF_OWNER)}
    of_owner = {f"owners.{field.removeprefix(_OF_OWNER)}": 1 for field in needed if field.startswith(_OF_OWNER)}
    return [
        {"$project": {**of_record, "user_id": 1}},
        {"$group": {"_id": None, "records": {"$push": "$$ROOT"}, "owners": {"$addToSet": "$user_id"}}},
        {"$lookup": {"from": User.Settings.name, "localField": "owners", "foreignField": "_id", "as": "owners"}},
        {"$project": {"_id": 0, "records": 1, **of_owner}},
    ]


def with_gathered_owners(found: Iterable[Record]) -> list[Record]:
    """Return the records of what `gathered_with_owners` made, each with its `owner`; others as they are."""
    documents: list[Record] = []
    for document in found:
        if "records" not in document:
            documents.append(document)
            continue
        # The ids of users are text; that of an owner, written past the service, can be anything.
        owners = {owner["_id"]: [owner] for owner in document["owners"] if isinstance(owner["_id"], str)}
        for record in document["records"]:
            owner_id = record.get("user_id")
            record["owner"] = owners.get(owner_id, []) if isinstance(owner_id, str) else []
        documents += document["records"]
    return documents


def with_owners(fields: Iterable[str]) -> list[dict[str, Any]]:
    """Return the stages that keep these fields of some records, in their order, with their owners as `owner`."""
    needed = dict.fromkeys(fields, 1)
    is_owner = {"$eq": ["$$this._id", "$records.user_id"]}
    return [
        *gathered_with_owners(needed),
        {"$unwind": "$records"},
        {"$addFields": {"records.owner": {"$filter": {"input": "$owners", "cond": is_owner}}}},
        {"$replaceRoot": {"newRoot": "$records"}},
        {"$project": needed},
    ]


ITEM_STAGES: list[dict[str, Any]] = with_owners(ITEM_FIELDS)
GATHERED_ITEM_STAGES: list[dict[str, Any]] = gathered_with_owners(ITEM_FIELDS)


def render_item(record: Mapping[str, Any], caller: Caller, *, readers_see_params: bool) -> dict[str, Any]:
    """Return one record, with its `owner` looked up, as the API shows it to `caller`.

    Missing fields of a record that was written past the service get defaults, so that it does not break the page.
    """
    write_access = access_rule.can_write(caller, record)
    return item_with(record, write_access=write_access, readers_see_params=readers_see_params)


def item_with(record: Mapping[str, Any], *, write_access: bool, readers_see_params: bool) -> dict[str, Any]:
    """Return one record as `render_item` does for callers with or without write access."""
    item = _content(record)
    if not (write_access or readers_see_params):
        item["params"] = {}
    item["meta"] = _shown_meta(item["meta"])
    item["write_access"] = write_access
    item["user"] = owner_of(record)
    item |= _version_and_times(record)
    return item


def plain_item(record: Mapping[str, Any], *, with_params: bool) -> dict[str, Any]:
    """Return one record as it is exported: only its content, with `meta` as stored."""
    content = {**_content(record), "access_grants": well_formed_grants(record)}
    if not with_params:
        del content["params"]
    return content | _version_and_times(record)


def owner_of(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the `owner` that was looked up; None when they no longer exist."""
    for owner in record.get("owner", ()):
        if owner.get("leaving") is not True:
            return {"id": owner["_id"], "name": owner.get("name"), "email": owner.get("email")}
    return None


def _content(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": record["_id"],
        "user_id": record.get("user_id"),
        "base_model_id": record.get("base_model_id"),
        "name": record.get("name") or "",
        "params": record.get("params") or {},
        "meta": _meta(record),
        "access_grants": record.get("access_grants") or [],
        "is_active": record.get("is_active", False),
    }


def _version_and_times(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": record.get("version", 0),
        "created_at": epoch_seconds(record.get("created_at")),
        "updated_at": epoch_seconds(record.get("updated_at")),
    }


def _meta(record: Mapping[str, Any]) -> dict[str, Any]:
    return record["meta"] if isinstance(record.get("meta"), dict) else {}


def _with_defaults(meta: dict[str, Any]) -> dict[str, Any]:
    if META_DEFAULTS.keys() <= meta.keys():
        return meta
    return meta | {key: META_DEFAULTS[key] for key in META_DEFAULTS if key not in meta}


def _shown_meta(stored: dict[str, Any]) -> dict[str, Any]:
    meta = _with_defaults(stored)
    image = meta[IMAGE]
    return {**meta, IMAGE: public_path(image)} if isinstance(image, str) and image.startswith(LOCAL) else meta


def without_new_defaults(meta: dict[str, Any], record: Record) -> dict[str, Any]:
    """Return a new `meta` without the defaults that every response has, where the stored record lacks them."""
    stored = _meta(record)
    return {
        name: value
        for name, value in meta.items()
        if name in stored or name not in META_DEFAULTS or value != META_DEFAULTS[name]
    }


def with_own_image(meta: Any) -> Any:
    """Return a `meta` that a client sends, with a local image as it is stored.

    Behind a proxy that strips a path, models are shown with that path before such an image.
    """
    image = meta.get(IMAGE) if isinstance(meta, dict) else None
    return {**meta, IMAGE: own_path(image, LOCAL)} if isinstance(image, str) else meta


def as_stored(content: Content, record: Record) -> Content:
    """Return new content, with the stored `meta` if the client sent it back as it was shown, with defaults."""
    if "meta" not in content or changed_fields({"meta": content["meta"]}, {"meta": _with_defaults(_meta(record))}):
        return content
    return {**content, "meta": record["meta"]}
