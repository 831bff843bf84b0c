"""The indexes of `users`."""

from pymongo import ASCENDING, IndexModel

INDEXES = [
    # A user by email, and that no two users share one, whatever its case.
    IndexModel([("keys.email", ASCENDING)], name="email", unique=True),
    # The members of a group.
    IndexModel([("group_ids", ASCENDING)], name="members"),
    # All admins: who may read a record are they and those whom it names. They are few, and so is what it holds.
    IndexModel([("role", ASCENDING)], name="admins", partialFilterExpression={"role": "admin"}),
]
