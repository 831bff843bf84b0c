"""Runs one command and writes its wall time, processor time and peak memory to a file. Only for `load.py`.

A process of its own, and a small one: Linux counts what the parent held at the fork into a child's peak.
"""

import json
import os
import signal
import sys
import time


def main() -> None:
    """Run `spawn.py RESULT SECONDS COMMAND...` and exit with the command's status."""
    result, seconds, *command = sys.argv[1:]
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        # Outlives the exec, so that the command ends in time even when this process is killed.
        signal.alarm(int(seconds))
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    figures = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123  # pathlib would triple this process
        json.dump(figures, file)
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    main()
