"""What is left of earlier users and groups: nobody who gets the id of one inherits it."""

from collections.abc import Collection

from documents import ApiKey, Group, User
from documents.grant import PrincipalType
from service.database.client import Database
from service.errors import ConflictError
from service.models.grant_revocation import revoke_grants


async def clear_leftovers(database: Database, kind: PrincipalType, ids: Collection[str]) -> None:
    """Take away all that was given to ids that nobody has (any more), before somebody gets them.

    A deletion takes it all away; this is for what was written past the service, or by one that was cut off. Models
    that such a user owned stay. Raises ConflictError when a grant is in a record that can't be changed.
    """
    if not ids:
        return
    if failed := await revoke_grants(database, {(kind.value, one) for one in ids}, None):
        named = "; ".join(f"{outcome.model_id}: {outcome.detail}" for outcome in failed[:3])
        raise ConflictError(f"Models still grant something to an earlier {kind} of this id. {named}")
    among = {"$in": sorted(ids)}
    if kind is PrincipalType.USER:
        await database.delete_many(ApiKey, {"user_id": among})
    else:
        members = {"group_ids": {"$elemMatch": among}}
        await database.update_many(User, members, {"$pull": {"group_ids": among}}, any_shape=True)
        await database.update_many(Group, {"parent_id": among}, {"$set": {"parent_id": None}}, any_shape=True)
