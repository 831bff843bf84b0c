"""The indexes of `api_keys`."""

from pymongo import ASCENDING, IndexModel

INDEXES = [
    # The keys of one user.
    IndexModel([("user_id", ASCENDING), ("created_at", ASCENDING)], name="owner"),
]
