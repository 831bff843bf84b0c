"""The indexes of `revisions`."""

from pymongo import ASCENDING, DESCENDING, IndexModel

INDEXES = [
    # The history of a model, newest first, and that no version of it is recorded twice.
    IndexModel([("model_id", ASCENDING), ("version", DESCENDING)], name="history", unique=True),
    # The changes of a day, counted on the index alone: what revisions hold is large.
    IndexModel([(field, ASCENDING) for field in ("at", "change", "model_id", "by")], name="daily"),
]
