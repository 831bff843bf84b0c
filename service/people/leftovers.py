"""Removing what still refers to the id of an earlier user or group, before someone else gets the id."""

from collections.abc import Collection

from documents import ApiKey, Group, User
from documents.grant import PrincipalType
from service.database.client import Database
from service.errors import ConflictError
from service.models.grant_revocation import revoke_grants


async def clear_leftovers(database: Database, kind: PrincipalType, ids: Collection[str]) -> None:
    """Remove the grants, API keys and memberships that refer to unused ids, before new users or groups get them.

    A deletion removes all of these; others were written past the service or left by an interrupted deletion. Models
    that such a user owned stay. Raises ConflictError when a grant is in a record that can't be changed.
    """
    if not ids:
        return
    if failed := await revoke_grants(database, {(kind.value, one) for one in ids}, None):
        details = "; ".join(f"{result.model_id}: {result.detail}" for result in failed[:3])
        raise ConflictError(f"Models still have grants to an earlier {kind} with this id. {details}")
    among = {"$in": sorted(ids)}
    if kind is PrincipalType.USER:
        await database.delete_many(ApiKey, {"user_id": among})
    else:
        members = {"group_ids": {"$elemMatch": among}}
        await database.update_many(User, members, {"$pull": {"group_ids": among}}, any_shape=True)
        await database.update_many(Group, {"parent_id": among}, {"$set": {"parent_id": None}}, any_shape=True)
