"""Readiness, and graceful shutdown: a process that must end reports that it is not ready before it stops listening."""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

from indexes.ensure import check
from service.database.client import Database
from service.database.errors import DatabaseError

# Set once this process has received SIGTERM. Global, as signals are.
DRAINING = threading.Event()


def drain_on_sigterm(seconds: float) -> None:
    """On SIGTERM, report for `seconds` that the process is not ready, and only then call the previous signal handler.

    Meanwhile load balancers stop sending requests here. Call it in the main thread, in a running event loop.
    """
    loop = asyncio.get_running_loop()
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler):
        return
    stop = handler

    def drain(number: int, frame: FrameType | None) -> None:
        if DRAINING.is_set():
            stop(number, frame)
            return
        DRAINING.set()
        loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, None)

    signal.signal(signal.SIGTERM, drain)


def call_on_stop(work: Callable[[], object]) -> None:
    """Call `work` at once when this process is told to end, besides what is done then; as `drain_on_sigterm`."""
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(signal_number)
        if callable(handler):
            signal.signal(signal_number, _also(loop, work, handler))


def _also(
    loop: asyncio.AbstractEventLoop, work: Callable[[], object], handler: Callable[[int, FrameType | None], object]
) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(work)
        handler(number, frame)

    return handle


# Shorter than the timeout of the usual probes, so that they get an answer.
READY_SECONDS = 3.0
READ_ONLY = "The database accepts no writes: it has no primary at the moment."
DRIFTED = "Indexes or validators are not as declared; run: modeldeck indexes check"


async def readiness_problem(database: Database) -> str | None:
    """Return why the service is not ready: the database does not answer in time, accepts no writes or lacks an index.

    Returns None when it is ready.
    """
    try:
        with database.deadline(READY_SECONDS):
            if not await database.accepts_writes():
                return READ_ONLY
            drifts = await check(database)
    except DatabaseError:
        return "The database does not answer."
    return DRIFTED if any(drift.affects_service for drift in drifts) else None
