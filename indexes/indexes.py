"""The indexes of every collection, each with a name and the query it serves."""

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from documents import ApiKey, Group, IdempotentRequest, ModelRecord, PeopleChange, Revision, Session, User

Key = str | tuple[str, int]


class Index(IndexModel):
    """A named index over some fields, ascending by default; `serves` describes the query it is for."""

    def __init__(self, name: str, *fields: Key, serves: str, **options: Any) -> None:
        keys = [(field, ASCENDING) if isinstance(field, str) else field for field in fields]
        super().__init__(keys, name=name, **options)
        self.serves = serves

    @property
    def can_wait(self) -> bool:
        """Whether it can be built after records are loaded: it keeps nothing unique, and no import looks into it."""
        return not self.document.get("unique", False)


SORT_FIELDS = ("created_at", "updated_at", "keys.name")

# What a list can filter by without fetching the record.
_FILTERS = ("user_id", "base_model_id", "is_active")


def _sort_name(field: str) -> str:
    return field.removeprefix("keys.").removesuffix("_at")


def readable_by(field: str) -> str:
    """Return the name of the index that yields a caller's readable records in the order of a sort field."""
    return f"readable_by_{_sort_name(field)}"


def all_by(field: str) -> str:
    """Return the name of the index that yields all records in the order of a sort field."""
    return f"all_by_{_sort_name(field)}"


_MODELS = [
    # Narrow, so that a count reads few bytes. First, because MongoDB prefers the index that was created first among
    # plans that look equally good.
    Index("readable", "keys.readers", serves="Count of the models that a caller may read."),
    # One ordered scan per principal, merged (SORT_MERGE), ended by the limit.
    # keys.text is left out: on a multikey index a regex is never answered from the index.
    *(
        Index(
            readable_by(field),
            "keys.readers",
            field,
            "_id",
            *_FILTERS,
            serves=f"A page of the models that a caller may read, by `{field}`.",
        )
        for field in SORT_FIELDS
    ),
    # With keys.text: an admin's search that no trigram can serve is filtered on the index alone.
    *(
        Index(
            all_by(field),
            field,
            "_id",
            "keys.text",
            *_FILTERS,
            serves=f"A page of all models, by `{field}`.",
        )
        for field in SORT_FIELDS
    ),
    *(
        Index(f"tagged_by_{_sort_name(field)}", "keys.tags", field, "_id", serves=f"A page of one tag, by `{field}`.")
        for field in SORT_FIELDS
    ),
    # A few short entries a model, next to a hundred of `grams`. Where many have the capability, the server scans in the
    # order of the page instead.
    Index("capable", "keys.capabilities", serves="Models with a capability that few have, and their count."),
    # Yields candidates; each is verified on keys.text.
    Index("grams", "keys.grams", serves="Search for three or more characters."),
    # A wildcard index is multikey for each path on its own. So unlike one with `keys.readers`, it answers a regular
    # expression from its keys.
    Index(
        "readable_text",
        "keys.readable.$**",
        serves="Count of the models that a caller may read and a search or a tag finds.",
    ),
    # Its keys take one byte, so that all models can be counted on it. Records of earlier versions are found as null.
    Index("rows", "keys.rows", serves="Count of all models, and the models that `readable_text` lacks."),
    # Apart from `all_by_created`, whose scans would take longer.
    Index(
        "described",
        "created_at",
        "keys.described",
        "user_id",
        "is_active",
        serves="Searches in descriptions.",
    ),
    Index(
        "undescribed",
        "keys.described",
        partialFilterExpression={"keys.described": None},
        serves="The models whose description `described` lacks: few or none, except those of earlier versions.",
    ),
    Index(
        "facets",
        "keys.tag_line",
        "keys.capability_line",
        *_FILTERS,
        serves="Facets of all models.",
    ),
    Index(
        "readable_facets",
        "keys.readers",
        "keys.tag_line",
        "keys.capability_line",
        *_FILTERS,
        serves="Facets of the models that a caller may read.",
    ),
    Index(
        "owner",
        "user_id",
        "_id",
        serves="All models of one owner: their count, and the refresh of derived keys after the owner is renamed.",
    ),
    # Base models are few. Unlike in `base`, no field holds a list, so that the keys alone tell where one is null.
    Index(
        "without_base",
        "base_model_id",
        "user_id",
        "is_active",
        "keys.text",
        partialFilterExpression={"base_model_id": None},
        serves="Count of all models with no base model, or those that a search finds.",
    ),
    Index(
        "base",
        "base_model_id",
        "keys.readers",
        serves="All models with a given base model or with none, and the count of those that a caller may read.",
    ),
    # Inactive models are few, so this partial index stays small.
    Index(
        "inactive",
        "is_active",
        "keys.readers",
        partialFilterExpression={"is_active": False},
        serves="Count of inactive models: all of them, or those that a caller may read.",
    ),
    Index(
        "origin",
        "origin.source",
        "origin.key",
        unique=True,
        partialFilterExpression={"origin.source": {"$exists": True}},
        serves="The models that came from a source, by their keys there. Keeps each key of a source to one model.",
    ),
]

_USERS = [
    Index(
        "email",
        "keys.email",
        unique=True,
        serves="A user by email. Keeps emails unique, ignoring case.",
    ),
    Index("members", "group_ids", serves="The members of a group."),
    # Admins are among those who may read a record. They are few, so this partial index stays small.
    Index("admins", "role", partialFilterExpression={"role": "admin"}, serves="All admins."),
]

_REVISIONS = [
    Index(
        "history",
        "model_id",
        ("version", DESCENDING),
        unique=True,
        serves="The history of a model, newest first. Keeps each version of a model recorded only once.",
    ),
    # Revisions without `fields` are found as null, in the order of their versions too.
    Index("changed_field", "model_id", "fields", "version", serves="The next change of one field of a model."),
    # One field only: when the bounds come from another document, as those of a day do, MongoDB verifies them on the
    # record in any case.
    Index("when", "at", serves="The changes of a day."),
]

_PEOPLE_CHANGES = [
    Index(
        "history",
        "principal_id",
        "principal_type",
        ("number", DESCENDING),
        unique=True,
        serves="The history of a user or a group, newest first. Keeps each number of it recorded only once.",
    ),
    Index("when", "at", serves="The changes of a day."),
]

# The collections that a load fills. An import looks into their unique indexes and `_id` only.
LOADED = (ModelRecord.Settings.name, Revision.Settings.name)

INDEXES: Mapping[str, Sequence[Index]] = {
    ModelRecord.Settings.name: _MODELS,
    User.Settings.name: _USERS,
    Group.Settings.name: [Index("children", "parent_id", serves="The groups directly below a group.")],
    ApiKey.Settings.name: [Index("owner", "user_id", "created_at", serves="The API keys of one user.")],
    Revision.Settings.name: _REVISIONS,
    PeopleChange.Settings.name: _PEOPLE_CHANGES,
    Session.Settings.name: [
        Index("ended", "expires_at", expireAfterSeconds=0, serves="Has the database delete sessions that have ended."),
        Index("user", "user_id", "expires_at", serves="The sessions of one user, of which there are at most 100."),
    ],
    IdempotentRequest.Settings.name: [
        Index("ended", "expires_at", expireAfterSeconds=0, serves="Has the database delete what has expired."),
        Index(
            "user",
            "user_id",
            "expires_at",
            "answer_bytes",
            serves="How many idempotency keys one user has, and how many bytes their answers take.",
        ),
    ],
}
