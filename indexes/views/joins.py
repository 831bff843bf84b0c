"""The joins between views that an index answers."""

from typing import NamedTuple


class Join(NamedTuple):
    """A `$lookup` from a field of one view into another view, on a filter of that view that uses an index."""

    view: str
    field: str
    other: str
    foreign: str


JOINS = (
    Join("models_flat", "owner_id", "people", "_id"),
    Join("models_flat", "base_model_id", "models_flat", "_id"),
    Join("models_flat", "_id", "models_flat", "base_model_id"),
    Join("models_flat", "_id", "model_grants", "model_id"),
    Join("models_flat", "_id", "changes", "model_id"),
    Join("models_flat", "_id", "access_changes", "model_id"),
    Join("models_flat", "_id", "effective_access_by_model", "model_id"),
    Join("model_grants", "model_id", "models_flat", "_id"),
    Join("model_grants", "owner_id", "people", "_id"),
    Join("model_grants", "principal_id", "people", "_id"),
    Join("model_grants", "principal_id", "group_tree", "_id"),
    Join("effective_access", "model_id", "models_flat", "_id"),
    Join("effective_access_by_model", "user_id", "people", "_id"),
    Join("people", "_id", "models_flat", "owner_id"),
    Join("people", "_id", "model_grants", "owner_id"),
    Join("people", "_id", "keys_flat", "owner_id"),
    Join("people", "_id", "effective_access", "user_id"),
    Join("people", "_id", "access_counts", "user_id"),
    Join("people", "all_group_ids", "group_tree", "_id"),
    Join("group_tree", "_id", "people", "group_ids"),
    Join("group_tree", "all_member_ids", "people", "_id"),
    Join("keys_flat", "owner_id", "people", "_id"),
    Join("changes", "model_id", "models_flat", "_id"),
    Join("changes", "by", "people", "_id"),
    Join("access_changes", "model_id", "models_flat", "_id"),
    Join("access_changes", "principal_id", "people", "_id"),
    Join("access_changes", "principal_id", "group_tree", "_id"),
)
