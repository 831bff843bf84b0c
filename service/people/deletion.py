"""Users and groups that go for good.

The first step of a deletion takes all access away; what follows clears up. Cut off anywhere, it is run again.
"""

from documents import ApiKey, Group, Lock, User
from documents.grant import PrincipalType
from service.clock import now
from service.database.client import Database
from service.database.locks import create_lock, serialized, take_lock, user_lock
from service.errors import ConflictError
from service.models.grant_revocation import revoke_grants
from service.models.principals import Principal, require_existing
from service.people.users import follow_owners, is_acting_admin, require_other_admin

BEING_DELETED = {"leaving": True}
_NAMED = 10


async def delete_user(database: Database, user_id: str, by: str | None) -> None:
    """Delete a user, their keys and the grants to them, or finish their deletion; their records stay.

    `by` is the user who asks for it. Raises NotFoundError, and ConflictError for the last admin.
    """
    await create_lock(database, user_lock(user_id))
    await serialized(database, lambda: _lock_out(database, user_id))
    await follow_owners(database, [user_id])
    await _withdraw(database, (PrincipalType.USER.value, user_id), by)
    await database.delete_many(Lock, {"_id": user_lock(user_id)})
    await database.delete_many(User, {"_id": user_id, **BEING_DELETED})


async def _lock_out(database: Database, user_id: str) -> None:
    user = await require_existing(database, User, user_id, or_leaving=True)
    if is_acting_admin(user):
        await require_other_admin(database, user_id)
    gone = {"$set": {**BEING_DELETED, "is_active": False, "updated_at": now()}}
    await database.update_one(User, {"_id": user_id}, gone, any_shape=True)
    # No key can be made for them at the same moment.
    await take_lock(database, user_lock(user_id))
    await database.delete_many(ApiKey, {"user_id": user_id})


async def delete_group(database: Database, group_id: str, by: str | None) -> None:
    """Delete a group and the grants to it, or finish its deletion; its children go up to its parent.

    `by` is the user who asks for it. Raises NotFoundError.
    """
    await serialized(database, lambda: _dissolve(database, group_id))
    await _withdraw(database, (PrincipalType.GROUP.value, group_id), by)
    await database.delete_many(Group, {"_id": group_id, **BEING_DELETED})


async def _dissolve(database: Database, group_id: str) -> None:
    # None can join from here on, so that nobody has anything through this group while its grants are taken away.
    group = await require_existing(database, Group, group_id, or_leaving=True)
    moment = now()
    await database.update_one(
        Group, {"_id": group_id}, {"$set": {**BEING_DELETED, "updated_at": moment}}, any_shape=True
    )
    parent_id = group.get("parent_id")
    lifted = {"$set": {"parent_id": None if parent_id == group_id else parent_id, "updated_at": moment}}
    await database.update_many(Group, {"parent_id": group_id}, lifted, any_shape=True)
    ended = {"$pull": {"group_ids": group_id}, "$set": {"updated_at": moment}}
    # Of lists only: anything else, which others can have written, is no membership.
    await database.update_many(User, {"group_ids": {"$elemMatch": {"$eq": group_id}}}, ended, any_shape=True)


async def _withdraw(database: Database, principal: Principal, by: str | None) -> None:
    # A grant that stays would be that of whoever gets the id next, so the id stays taken as long.
    if failed := await revoke_grants(database, {principal}, by):
        named = "; ".join(f"{outcome.model_id}: {outcome.detail}" for outcome in failed[:_NAMED])
        raise ConflictError(f"Locked out, but not deleted yet, since {len(failed)} models can't be changed. {named}")
