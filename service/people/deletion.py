"""Deleting users and groups.

The first step removes all their access; the later steps clean up. An interrupted deletion can be run again.
"""

from documents import ApiKey, Group, Lock, User
from documents.grant import PrincipalType
from documents.people_change import PeopleChangeKind
from service.database.client import Database
from service.database.locks import create_lock, serialized, take_lock, user_lock
from service.errors import ConflictError
from service.idempotency.store import forget_keys_of
from service.models.grant_revocation import revoke_grants
from service.models.principals import Principal, require_existing
from service.people.history.recording import Occasion, recorded
from service.people.users import is_active_admin, refresh_models_of, require_other_admin

BEING_DELETED = {"leaving": True}
_MAX_DETAILS = 10


async def delete_user(database: Database, user_id: str, by: str | None) -> None:
    """Delete a user, their API keys and the grants to them, or finish their deletion; their models stay.

    `by` is the user who asks for it. Raises NotFoundError, and ConflictError for the last admin.
    """
    await create_lock(database, user_lock(user_id))
    await serialized(database, lambda: _end_user_access(database, user_id, by))
    await refresh_models_of(database, [user_id])
    await _revoke_all_grants(database, (PrincipalType.USER.value, user_id), by)
    await forget_keys_of(database, user_id)
    await database.delete_many(Lock, {"_id": user_lock(user_id)})
    await database.delete_many(User, {"_id": user_id, **BEING_DELETED})


async def _end_user_access(database: Database, user_id: str, by: str | None) -> None:
    user = await require_existing(database, User, user_id, or_being_deleted=True)
    if is_active_admin(user):
        await require_other_admin(database, user_id)
    occasion = Occasion(by, PeopleChangeKind.DELETE)
    change = {"$set": {**BEING_DELETED, "is_active": False, "updated_at": occasion.moment}}
    async with recorded(database, User, occasion, changed={"_id": user_id}):
        await database.update_one(User, {"_id": user_id}, change, any_shape=True)
    # The lock prevents that an API key for this user is created at the same moment.
    await take_lock(database, user_lock(user_id))
    await database.delete_many(ApiKey, {"user_id": user_id})


async def delete_group(database: Database, group_id: str, by: str | None) -> None:
    """Delete a group and the grants to it, or finish its deletion; its child groups move to its parent.

    `by` is the user who asks for it. Raises NotFoundError.
    """
    await serialized(database, lambda: _end_group_access(database, group_id, by))
    await _revoke_all_grants(database, (PrincipalType.GROUP.value, group_id), by)
    await database.delete_many(Group, {"_id": group_id, **BEING_DELETED})


async def _end_group_access(database: Database, group_id: str, by: str | None) -> None:
    # From here on nobody can join, so that nobody has access through this group while its grants are revoked.
    group = await require_existing(database, Group, group_id, or_being_deleted=True)
    occasion = Occasion(by, PeopleChangeKind.GROUP_DELETED)
    marked = {"$set": {**BEING_DELETED, "updated_at": occasion.moment}}
    parent_id = group.get("parent_id")
    moved = {"$set": {"parent_id": None if parent_id == group_id else parent_id, "updated_at": occasion.moment}}
    family = {"$or": [{"_id": group_id}, {"parent_id": group_id}]}
    async with recorded(database, Group, occasion, changed=family):
        await database.update_one(Group, {"_id": group_id}, marked, any_shape=True)
        await database.update_many(Group, {"parent_id": group_id}, moved, any_shape=True)
    left = {"$pull": {"group_ids": group_id}, "$set": {"updated_at": occasion.moment}}
    # $elemMatch matches lists only: any other value is no membership, and $pull would fail on it.
    members = {"group_ids": {"$elemMatch": {"$eq": group_id}}}
    async with recorded(database, User, occasion, changed=members):
        await database.update_many(User, members, left, any_shape=True)


async def _revoke_all_grants(database: Database, principal: Principal, by: str | None) -> None:
    # The id stays taken until all grants are revoked, because a new user or group with this id would inherit them.
    if failed := await revoke_grants(database, {principal}, by):
        details = "; ".join(f"{result.model_id}: {result.detail}" for result in failed[:_MAX_DETAILS])
        problem = f"Access has ended, but the deletion is not complete: {len(failed)} models can't be changed."
        raise ConflictError(f"{problem} {details}")
