"""Users and groups: interrupted deletions and changes, stale derived keys, emails that several users have."""

from typing import Any

from documents import Group, User
from service.database.client import Database
from service.database.work_context import BULK_TIMEOUT_FACTOR
from service.database.writes import update_one
from service.doctor.diagnosis import Diagnosis, Kind
from service.errors import ConflictError, NotFoundError
from service.models.principals import EXISTING
from service.people.deletion import BEING_DELETED, delete_group, delete_user
from service.people.users import derived_keys_of_user, finish_refresh

BATCH = 500


async def examine_deletions(database: Database, diagnosis: Diagnosis) -> None:
    """Find deletions that were interrupted, and finish them."""
    for kind, delete in ((User, delete_user), (Group, delete_group)):
        for found in await database.find(kind, BEING_DELETED, fields=["_id"]):
            message = f"the deletion of the {kind.__name__.lower()} {found['_id']!r} was interrupted"
            diagnosis.add(Kind.INTERRUPTED_DELETION, message)
            if diagnosis.repair:
                try:
                    await delete(database, found["_id"], None)
                except ConflictError:
                    # A record that can't be changed has a grant to them; it is reported as malformed.
                    continue
                except NotFoundError:
                    # The process that began the deletion has finished it.
                    pass
                diagnosis.add_repaired(Kind.INTERRUPTED_DELETION)


async def examine_users(database: Database, diagnosis: Diagnosis) -> None:
    """Find and refresh stale derived keys of users, and of models whose refresh was interrupted."""
    fields = ["name", "email", "username", "keys", "rekey_pending"]
    async for batch in database.batches(User, EXISTING, fields=fields, size=BATCH):
        writes = []
        for user in batch:
            keys = derived_keys_of_user(user).model_dump()
            if user.get("keys") != keys:
                stored = user["keys"] if isinstance(user.get("keys"), dict) else {}
                differing = [name for name in {**keys, **stored} if stored.get(name) != keys.get(name)]
                message = f"user {user['_id']!r} has stale derived keys: {', '.join(differing)}"
                diagnosis.add(Kind.STALE_KEYS, message)
                unchanged = {field: {"$eq": user.get(field)} for field in ("_id", "name", "email", "username")}
                writes.append(update_one(unchanged, {"$set": {"keys": keys}}))
        interrupted = [user["_id"] for user in batch if user.get("rekey_pending")]
        for user_id in interrupted:
            message = f"user {user_id!r} was changed, but the refresh of their models' derived keys was interrupted"
            diagnosis.add(Kind.INTERRUPTED_CHANGE, message)
        if diagnosis.repair:
            written, _taken = await database.write_many(User, writes, any_shape=[user["_id"] for user in batch])
            await finish_refresh(database, interrupted)
            diagnosis.add_repaired(Kind.STALE_KEYS, written)
            diagnosis.add_repaired(Kind.INTERRUPTED_CHANGE, len(interrupted))


async def examine_emails(database: Database, diagnosis: Diagnosis) -> None:
    """Find emails that several users have, which is possible only while the unique index is missing."""
    repeated: list[dict[str, Any]] = [
        {"$match": {"keys.email": {"$type": "string"}}},
        {"$group": {"_id": "$keys.email", "users": {"$sum": 1}}},
        {"$match": {"users": {"$gt": 1}}},
        {"$sort": {"_id": 1}},
    ]
    for found in await database.aggregate(User, repeated, seconds=database.timeout * BULK_TIMEOUT_FACTOR):
        named = ""
        if diagnosis.wants_example(Kind.REPEATED_EMAIL):
            users = await database.find(User, {"keys.email": found["_id"]}, fields=["_id"], sort=[("_id", 1)], limit=5)
            named = ", ".join(repr(user["_id"]) for user in users)
        diagnosis.add(Kind.REPEATED_EMAIL, f"{found['users']} users have the email {found['_id']!r}: {named}")
