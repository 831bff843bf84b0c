"""What MongoDB itself needs after a blow: a bare driver that writes for a majority until it can."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.errors import PyMongoError

ATTEMPT_SECONDS = 3.0
PAUSE_SECONDS = 0.1
_OPTIONS: dict[str, Any] = {"w": "majority", "journal": True, "heartbeatFrequencyMS": 500, "connectTimeoutMS": 1000}


class Bare:
    """A driver of our own, with a deadline for each attempt; `seconds` is when its first write was acknowledged."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._over = threading.Event()
        self.seconds: float | None = None

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Try, from now on and while a block runs, until a write is acknowledged."""
        thread = threading.Thread(target=self._try, args=(time.monotonic(),), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _try(self, began: float) -> None:
        with MongoClient[dict[str, Any]](self._uri, **_OPTIONS) as client:
            while self.seconds is None and not self._over.is_set():
                try:
                    with pymongo.timeout(ATTEMPT_SECONDS):
                        client.faults_bare.writes.insert_one({})
                    self.seconds = time.monotonic() - began
                except PyMongoError:
                    time.sleep(PAUSE_SECONDS)
