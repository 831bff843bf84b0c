"""Locks that are held until the end of a transaction, across all processes of the service."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from documents import Lock
from service.database.client import Database
from service.database.exact_bson import int64
from service.database.work_context import untracked

T = TypeVar("T")

PEOPLE, MODELS = "people", "models"


def user_lock(user_id: str) -> str:
    """Return the name of the lock on everything that belongs to one user."""
    return f"user:{user_id}"


async def serialized(
    database: Database, work: Callable[[], Awaitable[T]], *, lock: str = PEOPLE, bulk: bool = False
) -> T:
    """Serialise work that takes the same lock: run `work` in a transaction that holds `lock`; return what it returns.

    A transaction reads the state from when it began. So when two transactions each change what only the other reads,
    as when two admins remove each other, both would succeed. Here both also change the document of the lock: they
    conflict, and one of them is run again. Raises BusyError when too many wait for the same lock.
    """

    async def locked_work() -> T:
        await take_lock(database, lock)
        return await work()

    if database.transacting:
        return await locked_work()
    await create_lock(database, lock)
    # Within this process they wait here, since waiting is cheaper than conflicting transactions.
    async with database.lock_in_process(lock):
        return await database.in_transaction(locked_work, bulk=bulk)


async def create_lock(database: Database, lock: str = PEOPLE) -> None:
    """Create the document of a lock if it is absent; inside a transaction, finding it there would be an error."""
    with untracked():
        await database.insert_record(Lock, {"_id": lock, "changes": int64(0)})


async def take_lock(database: Database, lock: str) -> None:
    """Make the current transaction conflict with every other one that takes the same lock."""
    with untracked():
        await database.update_one(Lock, {"_id": lock}, {"$inc": {"changes": int64(1)}})
