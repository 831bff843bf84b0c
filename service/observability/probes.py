"""Leaving in order: a process that is told to end says so first, and is sent nothing new when it stops listening."""

import asyncio
import signal
import threading
from types import FrameType

from indexes.ensure import check
from service.database.client import Database
from service.database.errors import DatabaseError

# Set when this process has been told to end. Signals concern a process, and so does this.
DRAINING = threading.Event()


def drain_on_sigterm(seconds: float) -> None:
    """On SIGTERM, be not ready for `seconds`, and only then do what was done before: stop listening, and end.

    Whoever distributes requests learns meanwhile to send them elsewhere. Called in the main thread, in a running loop.
    """
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)
    if not callable(before):
        return
    stop = before

    def begin(number: int, frame: FrameType | None) -> None:
        if DRAINING.is_set():
            stop(number, frame)
            return
        DRAINING.set()
        loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, None)

    signal.signal(signal.SIGTERM, begin)


# Probes give up after a few seconds, and want a clear no before that.
READY_SECONDS = 3.0
DRIFTED = "Indexes or validators are not as declared; run: modeldeck indexes check"


async def readiness_problem(database: Database) -> str | None:
    """Return why requests can't be answered: the database is away or slow, or lacks an index; None when they can."""
    try:
        with database.deadline(READY_SECONDS):
            drifts = await check(database)
    except DatabaseError:
        return "The database does not answer."
    return DRIFTED if any(drift.affects_service for drift in drifts) else None
