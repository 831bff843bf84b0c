"""`python -m faults [ID ...]`: run the fault tests and print one table; the exit status is 1 if a test failed."""

import argparse
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from faults.environment.workspace import CannotRunError, Workspace
from faults.registry import GROUPS
from faults.report import HEAD, Result, Row, Section, progress

# Far longer than all tests take: ends a run that hangs.
MAX_SECONDS = 40 * 60
CONCURRENT_SECTIONS = 2
EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def _arguments() -> argparse.Namespace:
    known = sorted({id_ for group in GROUPS for section in group for id_ in section.ids})
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument(
        "ids", nargs="*", choices=[*known, []], metavar="ID", help=f"run only these tests: {', '.join(known)}"
    )
    return parser.parse_args()


def _rows(section: Section, workspace: Workspace) -> Iterator[Row]:
    ids = ", ".join(section.ids)
    progress(f"{ids}: {section.title}")
    try:
        yield from section.run(workspace)
    except CannotRunError as error:
        yield Row(ids, section.title, "–", "–", Result.SKIPPED, str(error))
    except Exception as error:
        traceback.print_exc()
        message = (str(error).strip().splitlines() or [""])[0]
        yield Row(ids, section.title, "–", "–", Result.FAILED, f"{type(error).__name__}: {message}")


def _run_concurrently(sections: Sequence[Section], workspace: Workspace, executor: Executor) -> Iterator[Row]:
    """Run sections on the threads of the executor, and yield their rows in the order of the sections."""
    for rows in executor.map(lambda section: list(_rows(section, workspace)), sections):
        yield from rows


def main() -> int:
    """Run the selected tests and return the exit status."""
    arguments = _arguments()
    # Handle these signals like Ctrl-C, so that all processes are stopped and all files removed.
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.default_int_handler)
    signal.alarm(MAX_SECONDS)
    failed = False
    print(HEAD, flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="modeldeck-faults-", ignore_cleanup_errors=True) as folder:
            workspace = Workspace(Path(folder))
            # One executor for all groups: a process is killed when the thread that started it ends.
            executor = ThreadPoolExecutor(CONCURRENT_SECTIONS)
            try:
                for group in GROUPS:
                    selected = [each for each in group if not arguments.ids or set(each.ids) & set(arguments.ids)]
                    for row in _run_concurrently(selected, workspace, executor):
                        print(row, flush=True)
                        failed = failed or row.result is Result.FAILED
            finally:
                workspace.close()
                executor.shutdown(wait=False, cancel_futures=True)
    except KeyboardInterrupt:
        # Don't wait for the threads: the processes that they started end with this process.
        os._exit(EXIT_INTERRUPTED)
    return EXIT_FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
