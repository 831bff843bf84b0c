"""The indexes of `groups`."""

from indexes.index import Index

INDEXES = [Index("children", "parent_id", serves="The groups right below a group.")]
