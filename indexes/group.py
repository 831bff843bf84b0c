"""The indexes of `groups`."""

from pymongo import ASCENDING, IndexModel

INDEXES = [
    # The children of a group.
    IndexModel([("parent_id", ASCENDING)], name="children"),
]
