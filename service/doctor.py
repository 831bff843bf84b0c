"""Finds derived keys that are not what they should be and changes that were cut off, and mends them when asked to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from documents import Group, ModelRecord, User
from service.database import Database, update_one
from service.errors import ConflictError, NotFoundError
from service.exact_bson import Record
from service.models.departed import withdraw
from service.models.principals import absent_principals
from service.models.rekey import mend, stale_records
from service.models.soundness import unsound_fields
from service.people.departures import LEAVING, delete_group, delete_user
from service.people.users import finish_rekeying, keys_of_user
from service.present import PRESENT

EXAMPLES = 10
BATCH = 500


@dataclass(slots=True)
class Diagnosis:
    """What the doctor saw: how many documents, which problems, how many were mended."""

    seen: int = 0
    problems: int = 0
    mended: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, problem: str) -> None:
        """Count a problem, and keep the first few as examples."""
        self.problems += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(problem)


async def examine(database: Database, *, repair: bool, progress: Callable[[int], None] = lambda _: None) -> Diagnosis:
    """Recompute the keys of every user and model record; look for interrupted deletions and for grants to nobody.

    With `repair`, mend what can be mended.
    """
    diagnosis = Diagnosis()
    await _examine_departures(database, diagnosis, repair=repair)
    await _examine_users(database, diagnosis, repair=repair)
    await _examine_ids(database, diagnosis)
    async for read, stale in stale_records(database, {"_id": {"$type": "string"}}):
        diagnosis.seen += len(read)
        for item in stale:
            diagnosis.note(f"model {item.record['_id']!r} {item.problem}")
        if repair:
            # Right keys are given to malformed records too, since access follows from them; mended they are not.
            await mend(database, [item for item in stale if item.malformed])
            diagnosis.mended += await mend(database, [item for item in stale if not item.malformed])
        await _examine_grants(database, diagnosis, read, repair=repair)
        progress(diagnosis.seen)
    return diagnosis


async def _examine_ids(database: Database, diagnosis: Diagnosis) -> None:
    for kind in (ModelRecord, User, Group):
        if odd := await database.count(kind, {"_id": {"$not": {"$type": "string"}}}):
            diagnosis.note(f"{odd:,} records of {kind.Settings.name} have an id that is no text: no route reaches them")


async def _examine_grants(database: Database, diagnosis: Diagnosis, records: Sequence[Record], *, repair: bool) -> None:
    # Of records that are sound; what is wrong with the others is told of them.
    granting = [record for record in records if "access_grants" not in unsound_fields(record)]
    absent = await absent_principals(database, [grant for record in granting for grant in record["access_grants"]])
    for record in granting if absent else ():
        named = {(grant["principal_type"], grant["principal_id"]) for grant in record["access_grants"]} & absent
        for kind, principal_id in sorted(named):
            diagnosis.note(f"model {record['_id']!r} has a grant to the {kind} {principal_id!r}, who does not exist")
            diagnosis.mended += repair
    if repair and absent:
        await withdraw(database, absent, None)


async def _examine_departures(database: Database, diagnosis: Diagnosis, *, repair: bool) -> None:
    for kind, delete in ((User, delete_user), (Group, delete_group)):
        for found in await database.find(kind, LEAVING, fields=["_id"]):
            diagnosis.seen += 1
            diagnosis.note(
                f"{kind.__name__.lower()} {found['_id']!r} was being deleted, and the deletion was interrupted"
            )
            if repair:
                try:
                    await delete(database, found["_id"], None)
                except ConflictError:
                    # A grant to them is in a record that can't be changed, which is told of that record.
                    continue
                except NotFoundError:
                    # Whoever began it has finished it.
                    pass
                diagnosis.mended += 1


async def _examine_users(database: Database, diagnosis: Diagnosis, *, repair: bool) -> None:
    fields = ["name", "email", "username", "keys", "rekey_pending"]
    async for batch in database.batches(User, PRESENT, fields=fields, size=BATCH):
        diagnosis.seen += len(batch)
        writes = []
        for user in batch:
            live, keys = user.get("keys"), keys_of_user(user).model_dump()
            if live != keys:
                known = live if isinstance(live, dict) else {}
                differing = [name for name in {**keys, **known} if known.get(name) != keys.get(name)]
                diagnosis.note(f"user {user['_id']!r} has stale keys: {', '.join(differing)}")
                unchanged = {field: {"$eq": user.get(field)} for field in ("_id", "name", "email", "username")}
                writes.append(update_one(unchanged, {"$set": {"keys": keys}}))
        interrupted = [user["_id"] for user in batch if user.get("rekey_pending")]
        for user_id in interrupted:
            diagnosis.note(
                f"user {user_id!r} was changed, and the change was interrupted before their records followed"
            )
        if repair:
            written, _taken = await database.write_many(User, writes, any_shape=[user["_id"] for user in batch])
            await finish_rekeying(database, interrupted)
            diagnosis.mended += written + len(interrupted)
