"""The indexes of `api_keys`."""

from indexes.index import Index

INDEXES = [Index("owner", "user_id", "created_at", serves="The keys of one user.")]
