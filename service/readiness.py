"""What keeps the service from answering, if anything does."""

from indexes.ensure import check
from service.database import Database
from service.mongo_errors import DatabaseError

# Probes give up after a few seconds, and want a clear no before that.
READY_SECONDS = 3.0
DRIFTED = "Indexes or validators are not as declared; run: modeldeck indexes check"


async def hindrance(database: Database) -> str | None:
    """Return why requests can't be answered: the database is away or slow, or lacks an index; None when they can."""
    try:
        with database.deadline(READY_SECONDS):
            drifts = await check(database)
    except DatabaseError:
        return "The database does not answer."
    return DRIFTED if any(drift.hinders for drift in drifts) else None
