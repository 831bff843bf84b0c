"""Keeps the embedded MongoDB up while anybody is connected: `python -m service.embedded_mongo.keep_alive DATA_DIR`."""

import os
import signal
import sys
import time
from pathlib import Path

from service.embedded_mongo.server import EmbeddedMongo

IDLE_SECONDS = 600.0
LOOK_SECONDS = 5.0


def keep(data_dir: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Hold a lease until nobody else has been connected for `idle_seconds`, or SIGTERM."""
    embedded = EmbeddedMongo(data_dir)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with embedded.keeping() as alone:
        if not alone:
            embedded.keeper_file.touch()  # who keeps it begins to count anew
            return
        with embedded.lease():
            _tell_that_it_is_kept()
            last_seen, asked = time.monotonic(), embedded.keeper_file.stat().st_mtime_ns
            while time.monotonic() - last_seen < idle_seconds and embedded.runs():
                asked_before, asked = asked, embedded.keeper_file.stat().st_mtime_ns
                if asked != asked_before or embedded.member.has_visitors():
                    last_seen = time.monotonic()
                time.sleep(min(LOOK_SECONDS, idle_seconds / 4))


def _tell_that_it_is_kept() -> None:
    """Close standard output, for whose end the one who started this process waits."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
