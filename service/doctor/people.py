"""Users and groups: deletions and changes that were cut off, stale keys, emails that should be of one user only."""

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


async def examine_departures(database: Database, diagnosis: Diagnosis) -> None:
    """Find deletions that were interrupted, and finish them."""
    for kind, delete in ((User, delete_user), (Group, delete_group)):
        for found in await database.find(kind, BEING_DELETED, fields=["_id"]):
            diagnosis.note(
                Kind.INTERRUPTED_DELETION,
                f"{kind.__name__.lower()} {found['_id']!r} was being deleted, and the deletion was interrupted",
            )
            if diagnosis.repair:
                try:
                    await delete(database, found["_id"], None)
                except ConflictError:
                    # A grant to them is in a record that can't be changed, which is told of that record.
                    continue
                except NotFoundError:
                    # Whoever began it has finished it.
                    pass
                diagnosis.mend(Kind.INTERRUPTED_DELETION)


async def examine_users(database: Database, diagnosis: Diagnosis) -> None:
    """Recompute the keys of every user, and find changes that their records have not followed."""
    fields = ["name", "email", "username", "keys", "rekey_pending"]
    async for batch in database.batches(User, EXISTING, fields=fields, size=BATCH):
        writes = []
        for user in batch:
            live, keys = user.get("keys"), derived_keys_of_user(user).model_dump()
            if live != keys:
                known = live if isinstance(live, dict) else {}
                differing = [name for name in {**keys, **known} if known.get(name) != keys.get(name)]
                diagnosis.note(Kind.STALE_KEYS, f"user {user['_id']!r} has stale keys: {', '.join(differing)}")
                unchanged = {field: {"$eq": user.get(field)} for field in ("_id", "name", "email", "username")}
                writes.append(update_one(unchanged, {"$set": {"keys": keys}}))
        interrupted = [user["_id"] for user in batch if user.get("rekey_pending")]
        for user_id in interrupted:
            diagnosis.note(
                Kind.INTERRUPTED_CHANGE,
                f"user {user_id!r} was changed, and the change was interrupted before their records followed",
            )
        if diagnosis.repair:
            written, _taken = await database.write_many(User, writes, any_shape=[user["_id"] for user in batch])
            await finish_refresh(database, interrupted)
            diagnosis.mend(Kind.STALE_KEYS, written)
            diagnosis.mend(Kind.INTERRUPTED_CHANGE, len(interrupted))


async def examine_emails(database: Database, diagnosis: Diagnosis) -> None:
    """Find emails that several users have, which the unique index prevents while it is there."""
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
        diagnosis.note(Kind.REPEATED_EMAIL, f"the email {found['_id']!r} is that of {found['users']} users: {named}")
