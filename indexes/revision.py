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
    # What revisions hold is large: a day is counted on the index alone.
    Index("daily", "at", "change", "model_id", "by", serves="The changes of a day, and who made them."),
]
