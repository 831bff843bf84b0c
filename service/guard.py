"""Changes that must not happen at the same moment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from documents import Guard
from service.database import Database
from service.exact_bson import int64

T = TypeVar("T")

PEOPLE, MODELS = "people", "models"


async def guarded(
    database: Database, work: Callable[[], Awaitable[T]], *, guard: str = PEOPLE, bulk: bool = False
) -> T:
    """Run `work` in a transaction of which, with the same guard, no two happen at once; return what it returns.

    A transaction sees the database as it was when it began. Of two that each change what only the other has read,
    such as two admins who remove each other, both would succeed; here both change the guard, so one is run again.
    """
    if not database.transacting:
        await make_guard(database, guard)

    async def alone() -> T:
        await database.update_one(Guard, {"_id": guard}, {"$inc": {"changes": int64(1)}})
        return await work()

    return await database.in_transaction(alone, bulk=bulk)


async def make_guard(database: Database, guard: str = PEOPLE) -> None:
    """See that a guard is there, which a transaction can't do without failing when it is."""
    await database.insert_record(Guard, {"_id": guard, "changes": int64(0)})
