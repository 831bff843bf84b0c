"""`python -m faults [ID ...]`: run the fault tests and print one table; exit status 1 when a promise was broken."""

import argparse
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from faults.place import CannotRunError, Place
from faults.registry import GROUPS
from faults.report import HEAD, Result, Row, Section, progress

# Far more than all of it takes; whatever hangs is ended with it.
MOST_SECONDS = 40 * 60
AT_ONCE = 2
EXIT_BROKEN, EXIT_INTERRUPTED = 1, 130


def _arguments() -> argparse.Namespace:
    known = sorted({id_ for group in GROUPS for section in group for id_ in section.ids})
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("ids", nargs="*", choices=[*known, []], metavar="ID", help=f"only these: {', '.join(known)}")
    return parser.parse_args()


def _rows(section: Section, place: Place) -> Iterator[Row]:
    ids = ", ".join(section.ids)
    progress(f"{ids}: {section.title}")
    try:
        yield from section.run(place)
    except CannotRunError as error:
        yield Row(ids, section.title, "–", "–", Result.SKIPPED, str(error))
    except Exception as error:
        traceback.print_exc()
        told = str(error).strip().splitlines()
        yield Row(ids, section.title, "–", "–", Result.FAILED, f"{type(error).__name__}: {told[0] if told else ''}")


def _together(sections: Sequence[Section], place: Place, executor: Executor) -> Iterator[Row]:
    """Run sections as many at a time as the executor does, and yield their rows, in order."""
    for rows in executor.map(lambda section: list(_rows(section, place)), sections):
        yield from rows


def main() -> int:
    """Run the tests that were asked for and return the exit status."""
    arguments = _arguments()
    # Ends like Ctrl-C: everything that was started is stopped, and the files removed.
    for ending in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(ending, signal.default_int_handler)
    signal.alarm(MOST_SECONDS)
    broken = False
    print(HEAD, flush=True)
    try:
        with tempfile.TemporaryDirectory(prefix="modeldeck-faults-", ignore_cleanup_errors=True) as folder:
            place = Place(Path(folder))
            # Its threads live as long as all that they have started, which would end with them.
            executor = ThreadPoolExecutor(AT_ONCE)
            try:
                for group in GROUPS:
                    chosen = [each for each in group if not arguments.ids or set(each.ids) & set(arguments.ids)]
                    for row in _together(chosen, place, executor):
                        print(row, flush=True)
                        broken = broken or row.result is Result.FAILED
            finally:
                place.close()
                executor.shutdown(wait=False, cancel_futures=True)
    except KeyboardInterrupt:
        # Without a wait for the threads of what was begun: it ends with this process.
        os._exit(EXIT_INTERRUPTED)
    return EXIT_BROKEN if broken else 0


if __name__ == "__main__":
    sys.exit(main())
