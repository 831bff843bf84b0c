"""The views of who there is: `people`, and `keys_flat` with their API keys, without anything to sign in with."""

from documents import ApiKey, ModelRecord, User
from documents.api_key import Scope
from documents.user import Role
from indexes.views.expressions import (
    EXISTING,
    GROUPS,
    USERS,
    first_existing,
    list_or_none,
    mapped,
    name_of,
    or_null,
)
from indexes.views.view import Column, View, in_order

_API_KEYS = ApiKey.Settings.name

_PEOPLE_COLUMNS = (
    Column("_id", "string", "Id of the user.", "u-anna"),
    Column("name", "string", "Their name.", "Anna Kowalska"),
    Column("email", "string", "Their email.", "Anna.Kowalska@example.com"),
    Column("username", "string or null", "Another name.", "akowalska"),
    Column("role", "string", f"{' or '.join(f'`{role}`' for role in Role)}; an admin may read and write all.", "user"),
    Column("is_active", "bool", "Whether they may use the service.", True),
    Column("group_ids", "array of string", "The groups that they are direct members of.", ["g-platform"]),
    Column(
        "group_names",
        "array of string or array of null",
        "The names of these, in the same order; null for one that does not exist or is being deleted.",
        ["Platform"],
    ),
    Column(
        "all_group_ids",
        "array of string",
        "All groups whose grants they have: their own and the ancestors of these, in no order.",
        ["g-platform", "g-engineering"],
    ),
    Column("all_group_names", "array of string", "The names of these, in the same order.", ["Platform", "Engineering"]),
    Column("models", "int", "Number of models that they own.", 4),
    Column("api_keys", "int", "Number of their API keys.", 2),
    Column(
        "last_used_at",
        "date or null",
        "When one of these was last used, to the minute; null for never.",
        "2026-05-15T11:39:00Z",
    ),
    Column("created_at", "date", "When the user was created.", "2026-03-21T16:10:55Z"),
    Column("updated_at", "date", "When the user was last changed.", "2026-05-15T11:39:00Z"),
    # As it is stored, since a filter by a renamed part of a field could not use the index.
    Column(
        "keys.email", "string", "The email in folded form; filter by it to use an index.", "anna.kowalska@example.com"
    ),
)

PEOPLE = View(
    name="people",
    source=User.Settings.name,
    meaning="A row is a user with their groups; those who are being deleted have none.",
    fast="`_id`, `keys.email`, `group_ids`, `role` for `admin`",
    columns=_PEOPLE_COLUMNS,
    pipeline=[
        {"$match": EXISTING},
        {
            "$project": {
                **dict.fromkeys(("name", "email", "role", "is_active", "group_ids", "created_at", "updated_at"), 1),
                "username": or_null("$username"),
                "keys.email": 1,
            }
        },
        {
            "$graphLookup": {
                "from": GROUPS,
                "startWith": list_or_none("$group_ids"),
                "connectFromField": "parent_id",
                "connectToField": "_id",
                "as": "groups",
            }
        },
        {
            "$lookup": {
                "from": ModelRecord.Settings.name,
                "localField": "_id",
                "foreignField": "user_id",
                "pipeline": [{"$count": "models"}],
                "as": "owned",
            }
        },
        {
            "$lookup": {
                "from": _API_KEYS,
                "localField": "_id",
                "foreignField": "user_id",
                "pipeline": [{"$project": {"_id": 0, "last_used_at": 1}}],
                "as": "api_keys",
            }
        },
        in_order(
            _PEOPLE_COLUMNS,
            group_names=mapped(list_or_none("$group_ids"), name_of("$$this", "$groups")),
            all_group_ids="$groups._id",
            all_group_names=mapped("$groups", or_null("$$this.name")),
            models={"$ifNull": [{"$first": "$owned.models"}, 0]},
            api_keys={"$size": "$api_keys"},
            last_used_at=or_null({"$max": "$api_keys.last_used_at"}),
        ),
    ],
)

_KEYS_COLUMNS = (
    # No id: that of an API key that another system made is a part of its hash.
    Column("owner_id", "string", "Id of the user whose API key it is.", "u-anna"),
    Column(
        "owner_name",
        "string or null",
        "Their name; null when they do not exist or are being deleted.",
        "Anna Kowalska",
    ),
    Column("owner_is_active", "bool or null", "Whether they may use the service; null in the same cases.", True),
    Column("name", "string", "The name that they gave it.", "notebook"),
    Column("scope", "string", f"{' or '.join(f'`{scope}`' for scope in Scope)}.", "read"),
    Column("created_at", "date", "When it was created.", "2026-03-21T16:10:55Z"),
    Column("expires_at", "date or null", "When it expires; null for never.", "2026-09-30T00:00:00Z"),
    Column("is_expired", "bool", "Whether it has expired, by the clock of the database.", False),
    Column("last_used_at", "date or null", "When it was last used, to the minute.", "2026-05-15T11:39:00Z"),
)
_HAS_EXPIRED = {"$and": [{"$eq": [{"$type": "$expires_at"}, "date"]}, {"$lte": ["$expires_at", "$$NOW"]}]}

KEYS_FLAT = View(
    name="keys_flat",
    source=_API_KEYS,
    meaning="A row is an API key with its owner, without its secret, its hash and its id.",
    fast="`owner_id`",
    columns=_KEYS_COLUMNS,
    pipeline=[
        {
            "$project": {
                **dict.fromkeys(("name", "scope", "created_at"), 1),
                "owner_id": "$user_id",
                "expires_at": or_null("$expires_at"),
                "is_expired": _HAS_EXPIRED,
                "last_used_at": or_null("$last_used_at"),
            }
        },
        {"$lookup": {"from": USERS, "localField": "owner_id", "foreignField": "_id", "as": "owner"}},
        {"$set": {"owner": first_existing("$owner")}},
        in_order(_KEYS_COLUMNS, owner_name=or_null("$owner.name"), owner_is_active=or_null("$owner.is_active")),
    ],
)
