"""The indexes of `revisions`."""

from pymongo import ASCENDING, DESCENDING, IndexModel

INDEXES = [
    # The history of a model, newest first, and that no version of it is recorded twice.
    IndexModel([("model_id", ASCENDING), ("version", DESCENDING)], name="history", unique=True),
]
