"""The indexes of `models`."""

from indexes.index import Index

SORT_FIELDS = ("created_at", "updated_at", "keys.name")

# What a list can filter by without looking at the record itself.
_FILTERS = ("user_id", "base_model_id", "is_active")


def _sort_name(field: str) -> str:
    return field.removeprefix("keys.").removesuffix("_at")


def readable_by(field: str) -> str:
    """Return the name of the index that gives a caller's records in the order of a sort field."""
    return f"readable_by_{_sort_name(field)}"


def all_by(field: str) -> str:
    """Return the name of the index that gives all records in the order of a sort field."""
    return f"all_by_{_sort_name(field)}"


INDEXES = [
    # Narrow, so that a count reads few bytes, and first, since of plans that look equally good MongoDB takes the
    # index that was made first.
    Index("readable", "keys.readers", serves="Count of what a caller may read."),
    # One ordered scan per principal, merged (SORT_MERGE), ended by the limit.
    # keys.text is left out: on a multikey index a regex is never answered from the index.
    *(
        Index(
            readable_by(field),
            "keys.readers",
            field,
            "_id",
            *_FILTERS,
            serves=f"A page of what a caller may read, by `{field}`.",
        )
        for field in SORT_FIELDS
    ),
    # With keys.text: an admin's search for what no trigram can serve is filtered on the index alone.
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
    # Candidates, each verified on keys.text.
    Index("grams", "keys.grams", serves="Search for three or more characters."),
    Index(
        "owner",
        "user_id",
        "_id",
        serves="All models of one owner: count of one's own, and new keys after the owner's name changed.",
    ),
    Index(
        "base",
        "base_model_id",
        "keys.readers",
        serves="All models based on one, or on none; and the count of those that a caller may read.",
    ),
    # They are few, and so is what it holds.
    Index(
        "inactive",
        "is_active",
        "keys.readers",
        partialFilterExpression={"is_active": False},
        serves="Count of inactive models, of all or of those that a caller may read.",
    ),
]
