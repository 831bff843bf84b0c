"""The indexes of `revisions`."""

from pymongo import DESCENDING

from indexes.index import Index

INDEXES = [
    Index(
        "history",
        "model_id",
        ("version", DESCENDING),
        unique=True,
        serves="The history of a model, newest first; and that no version of it is recorded twice.",
    ),
    # Of this field alone: bounds that come from another document, as those of a day do, are verified on the record.
    Index("when", "at", serves="The changes of a day."),
]
