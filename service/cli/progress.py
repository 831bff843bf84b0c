"""Progress on standard error: a bar with rate and time left on a terminal, plain lines otherwise."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_SECONDS = 5.0

Report = Callable[[int], None]


@contextmanager
def progress(verb: str, share_done: Callable[[], float] | None = None) -> Iterator[Report]:
    """Yield a function to call with the number of records done so far.

    `share_done` returns the share of the work that is done, from 0 to 1, where that is known.
    """
    show = _bar if sys.stderr.isatty() else _lines
    with show(verb, share_done) as report:
        yield report


@contextmanager
def _bar(verb: str, share_done: Callable[[], float] | None) -> Iterator[Report]:
    # Slow to import, and needed on a terminal only.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = [SpinnerColumn(), TextColumn("{task.description} {task.fields[records]:,} records")]
    if share_done is not None:
        columns += [BarColumn(), TaskProgressColumn()]
    columns.append(TextColumn("{task.fields[rate]:,.0f}/s"))
    if share_done is not None:
        columns += [TextColumn("left"), TimeRemainingColumn()]
    started = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(verb, total=1.0 if share_done else None, records=0, rate=0.0)

        def report(records: int) -> None:
            rate = records / max(time.monotonic() - started, 1e-3)
            completed = share_done() if share_done else None
            bar.update(task, completed=completed, records=records, rate=rate)

        yield report


@contextmanager
def _lines(verb: str, share_done: Callable[[], float] | None) -> Iterator[Report]:
    started = last = time.monotonic()

    def report(records: int) -> None:
        nonlocal last
        moment = time.monotonic()
        if moment - last < LINE_SECONDS:
            return
        last = moment
        share = f", {share_done():.0%}" if share_done else ""
        print(f"{verb} {records:,} records{share}, {records / (moment - started):,.0f}/s", file=sys.stderr, flush=True)

    yield report
