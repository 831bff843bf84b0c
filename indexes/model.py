"""The indexes of `models`."""

from typing import Any

from pymongo import ASCENDING, IndexModel

SORT_FIELDS = ("created_at", "updated_at", "keys.name")

# What a list can filter by without looking at the record itself.
_FILTERS = ("user_id", "base_model_id", "is_active")


def _index(name: str, *fields: str, **options: Any) -> IndexModel:
    return IndexModel([(field, ASCENDING) for field in fields], name=name, **options)


def _sort_name(field: str) -> str:
    return field.removeprefix("keys.").removesuffix("_at")


def readable_by(field: str) -> str:
    """Return the name of the index that gives a caller's records in the order of a sort field."""
    return f"readable_by_{_sort_name(field)}"


def all_by(field: str) -> str:
    """Return the name of the index that gives all records in the order of a sort field."""
    return f"all_by_{_sort_name(field)}"


INDEXES = [
    # Count of what a caller may read. Narrow, so that a count reads few bytes, and first, since of plans
    # that look equally good MongoDB takes the index that was made first.
    _index("readable", "keys.readers"),
    # A page for a caller with principals: one ordered scan per principal, merged (SORT_MERGE), ended by the limit.
    # keys.text is left out: on a multikey index a regex is never answered from the index.
    *(_index(readable_by(field), "keys.readers", field, "_id", *_FILTERS) for field in SORT_FIELDS),
    # A page for an admin, and an admin's search for what no trigram can serve: filtered on the index alone.
    *(_index(all_by(field), field, "_id", "keys.text", *_FILTERS) for field in SORT_FIELDS),
    # A page of one tag.
    *(_index(f"tagged_by_{_sort_name(field)}", "keys.tags", field, "_id") for field in SORT_FIELDS),
    # Search for three or more characters: candidates by trigram, each verified on keys.text.
    _index("grams", "keys.grams"),
    # All records of one owner: count of one's own, and new keys after the owner's name changed.
    _index("owner", "user_id", "_id"),
    # All records based on one model, or on none; and the count of those that a caller may read.
    _index("base", "base_model_id", "keys.readers"),
    # Count of inactive records, of all or of those that a caller may read. They are few, and so is what it holds.
    _index("inactive", "is_active", "keys.readers", partialFilterExpression={"is_active": False}),
]
