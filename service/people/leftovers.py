"""Removing what refers to unused ids: grants, API keys and memberships."""

from collections.abc import Collection

from documents import ApiKey, Group, User
from documents.grant import PrincipalType
from documents.people_change import PeopleChangeKind
from service.database.client import Database
from service.errors import ConflictError
from service.models.grant_revocation import revoke_grants
from service.models.principals import Kind
from service.people.history.recording import Occasion, recorded


async def clear_leftovers(database: Database, kind: Kind, ids: Collection[str]) -> None:
    """Remove the grants, API keys and memberships that refer to unused ids, before new users or groups get them.

    A deletion removes all of these; others were written past the service or left by an interrupted deletion. Models
    that such a user owned stay. Of groups, to be called in a transaction. Raises ConflictError when a grant is in a
    record that can't be changed.
    """
    if not ids:
        return
    principal_type = PrincipalType.USER if kind is User else PrincipalType.GROUP
    if failed := await revoke_grants(database, {(principal_type.value, one) for one in ids}, None):
        details = "; ".join(f"{result.model_id}: {result.detail}" for result in failed[:3])
        raise ConflictError(f"Models still have grants to an earlier {principal_type} with this id. {details}")
    among = {"$in": sorted(ids)}
    if kind is User:
        await database.delete_many(ApiKey, {"user_id": among})
        return
    occasion = Occasion(None, PeopleChangeKind.REPAIR)
    members, children = {"group_ids": {"$elemMatch": among}}, {"parent_id": among}
    async with recorded(database, User, occasion, changed=members):
        await database.update_many(User, members, {"$pull": {"group_ids": among}}, any_shape=True)
    async with recorded(database, Group, occasion, changed=children):
        await database.update_many(Group, children, {"$set": {"parent_id": None}}, any_shape=True)
