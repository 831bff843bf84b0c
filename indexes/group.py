"""The indexes of `groups`."""

from pymongo import ASCENDING, IndexModel

INDEXES = [
    # The groups right below a group.
    IndexModel([("parent_id", ASCENDING)], name="children"),
]
