"""Keeps the embedded MongoDB up for as long as somebody is connected: `python -m service.keeper DATA_DIR`."""

import signal
import sys
import time
from pathlib import Path

from service.embedded import EmbeddedMongo

IDLE_SECONDS = 600.0
LOOK_SECONDS = 5.0


def keep(data_dir: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Hold a lease until nobody else has been connected for `idle_seconds`, or SIGTERM."""
    embedded = EmbeddedMongo(data_dir)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with embedded.keeping() as alone:
        if not alone:
            return
        with embedded.lease():
            last_seen = time.monotonic()
            while time.monotonic() - last_seen < idle_seconds and embedded.member.answers():
                if embedded.member.has_visitors():
                    last_seen = time.monotonic()
                time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
