"""Starts the embedded MongoDB again whenever it ends, while a service needs it."""

import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.embedded_mongo.server import EmbeddedMongo

CHECK_SECONDS = 0.5
# The first restart follows at once. Each further one waits twice as long as that before it, until one has held.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
HOLDS_SECONDS = 60.0

log = logging.getLogger("modeldeck")


@contextmanager
def restarted(data_dir: Path) -> Iterator[None]:
    """Start the embedded MongoDB of a data directory again whenever it ends, for the duration of a block.

    The caller holds a lease on it. It comes back on the same socket, so that clients connect again by themselves.
    """
    embedded, over = EmbeddedMongo(data_dir), threading.Event()
    # A lease of its own: even if the block is left in a hurry, what is being started is stopped at the end.
    embedded.join()
    watching = threading.Thread(target=_watch, args=(embedded, over), name="modeldeck-restarts")
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()


def _watch(embedded: EmbeddedMongo, over: threading.Event) -> None:
    pause, runs_since = 0.0, -math.inf
    try:
        while not over.wait(CHECK_SECONDS):
            if _runs(embedded):
                continue
            if time.monotonic() - runs_since > HOLDS_SECONDS:
                pause = 0.0
            log.warning("the embedded MongoDB has ended; it is started again in %.0f seconds", pause)
            if over.wait(pause):
                return
            pause = min(max(FIRST_PAUSE, 2 * pause), LONGEST_PAUSE)
            runs_since = time.monotonic() if _started(embedded) else math.inf
    finally:
        embedded.release()


def _runs(embedded: EmbeddedMongo) -> bool:
    try:
        return embedded.runs()
    except OSError:
        # There is no file descriptor left to find out.
        return True


def _started(embedded: EmbeddedMongo) -> bool:
    try:
        embedded.bring_up()
    except Exception:
        # Whatever it is, it may have passed at the next attempt.
        log.exception("the embedded MongoDB can't be started")
        return False
    log.warning("the embedded MongoDB runs again")
    return True
