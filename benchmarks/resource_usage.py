"""Runs one command and writes its wall time, processor time and peak memory to a file. Used by `commands.py` only.

This is a separate, small program because Linux counts the memory of the parent at the fork into the peak of the child.
"""

import json
import os
import signal
import sys
import time


def main() -> None:
    """Run `resource_usage.py RESULT SECONDS COMMAND...` and exit with the command's status."""
    result, seconds, *command = sys.argv[1:]
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        # The alarm survives the exec, so it ends the command in time even if this process is killed.
        signal.alarm(int(seconds))
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    figures = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
    }
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123  # importing pathlib would triple the memory of this process
        json.dump(figures, file)
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    main()
