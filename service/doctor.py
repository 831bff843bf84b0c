"""Finds records whose derived keys are not what they should be, and mends them when asked to."""

from collections.abc import Callable
from dataclasses import dataclass, field

from documents import User
from documents.keys import user_keys
from service.database import Database, update_one
from service.models.rekey import mend, stale_records
from service.people.users import finish_rekeying

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
    """Recompute the keys of every user and model record; with `repair`, store the right ones."""
    diagnosis = Diagnosis()
    await _examine_users(database, diagnosis, repair=repair)
    async for read, stale in stale_records(database, {}):
        diagnosis.seen += read
        for item in stale:
            diagnosis.note(f"model {item.record['_id']!r} {item.problem}")
        if repair:
            # Right keys are given to malformed records too, since access follows from them; mended they are not.
            await mend(database, [item for item in stale if item.malformed])
            diagnosis.mended += await mend(database, [item for item in stale if not item.malformed])
        progress(diagnosis.seen)
    return diagnosis


async def _examine_users(database: Database, diagnosis: Diagnosis, *, repair: bool) -> None:
    fields = ["email", "keys", "rekey_pending"]
    async for batch in database.batches(User, {}, fields=fields, size=BATCH):
        diagnosis.seen += len(batch)
        writes = []
        for user in batch:
            keys = user_keys(email=str(user.get("email"))).model_dump()
            if user.get("keys") != keys:
                diagnosis.note(f"user {user['_id']!r} has stale keys: email")
                writes.append(update_one({"_id": user["_id"], "email": user.get("email")}, {"$set": {"keys": keys}}))
        interrupted = [user["_id"] for user in batch if user.get("rekey_pending")]
        for user_id in interrupted:
            diagnosis.note(
                f"user {user_id!r} was changed, and the change was interrupted before their records followed"
            )
        if repair:
            written, _taken = await database.write_many(User, writes)
            await finish_rekeying(database, interrupted)
            diagnosis.mended += written + len(interrupted)
