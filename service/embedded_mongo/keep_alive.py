"""Keeps the embedded MongoDB running while clients use it: `python -m service.embedded_mongo.keep_alive DATA_DIR`."""

import os
import signal
import sys
import time
from pathlib import Path

from service.embedded_mongo.server import EmbeddedMongo

IDLE_SECONDS = 600.0
CHECK_SECONDS = 5.0


def keep_alive(data_dir: Path, idle_seconds: float = IDLE_SECONDS) -> None:
    """Hold a lease until no other client has been connected for `idle_seconds`, or until SIGTERM."""
    embedded = EmbeddedMongo(data_dir)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with embedded.only_keep_alive() as only:
        if not only:
            # The process that runs already starts its idle time again.
            embedded.keep_alive_file.touch()
            return
        with embedded.lease():
            _close_standard_output()
            last_used, touched = time.monotonic(), embedded.keep_alive_file.stat().st_mtime_ns
            while time.monotonic() - last_used < idle_seconds and embedded.runs():
                touched_before, touched = touched, embedded.keep_alive_file.stat().st_mtime_ns
                if touched != touched_before or embedded.member.has_other_clients():
                    last_used = time.monotonic()
                time.sleep(min(CHECK_SECONDS, idle_seconds / 4))


def _close_standard_output() -> None:
    """Show the process that started this one, which reads until the end of the output, that the lease is held."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    keep_alive(Path(sys.argv[1]))
