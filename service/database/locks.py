"""Changes that must not happen at the same moment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from documents import Lock
from service.database import Database
from service.database.exact_bson import int64
from service.database.write_tracker import untracked

T = TypeVar("T")

PEOPLE, MODELS = "people", "models"


def user_lock(user_id: str) -> str:
    """Return the guard of what belongs to one user."""
    return f"user:{user_id}"


async def serialized(
    database: Database, work: Callable[[], Awaitable[T]], *, guard: str = PEOPLE, bulk: bool = False
) -> T:
    """Run `work` in a transaction of which, with the same guard, no two happen at once; return what it returns.

    A transaction sees the database as it was when it began. Of two that each change what only the other has read,
    such as two admins who remove each other, both would succeed; here both change the guard, so one is run again.
    Raises BusyError when too many wait for the same guard.
    """

    async def alone() -> T:
        await take_lock(database, guard)
        return await work()

    if database.transacting:
        return await alone()
    await create_lock(database, guard)
    # Those in this process wait for each other here, and not in transactions that get in each other's way.
    async with database.turn(guard):
        return await database.in_transaction(alone, bulk=bulk)


async def create_lock(database: Database, guard: str = PEOPLE) -> None:
    """See that a guard is there, which a transaction can't do without failing when it is."""
    with untracked():
        await database.insert_record(Lock, {"_id": guard, "changes": int64(0)})


async def take_lock(database: Database, guard: str) -> None:
    """Make the caller's transaction one that does not happen at once with others of the same guard."""
    with untracked():
        await database.update_one(Lock, {"_id": guard}, {"$inc": {"changes": int64(1)}})
