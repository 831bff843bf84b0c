"""The indexes of `users`."""

from indexes.index import Index

INDEXES = [
    Index(
        "email",
        "keys.email",
        unique=True,
        serves="A user by email; and that no two users share one, whatever its case.",
    ),
    Index("members", "group_ids", serves="The members of a group."),
    # Who may read a record are they and those whom it names. They are few, and so is what it holds.
    Index("admins", "role", partialFilterExpression={"role": "admin"}, serves="All admins."),
]
