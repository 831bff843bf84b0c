"""What became of each test, as a row of one Markdown table."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from faults.place import Place

HEAD = "| id | fault or test | measured | must hold | result |\n|---|---|---|---|---|"
MAX_REASONS = 3
_BEGAN = time.monotonic()


class Result(StrEnum):
    """How a test ended."""

    OK = "ok"
    FAILED = "FAILED"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """One test: what was done, what was seen, what had to hold, and whether it did."""

    id: str
    test: str
    measured: str
    must_hold: str
    result: Result
    why: str = ""

    def __str__(self) -> str:
        told = f"{self.result}: {self.why}" if self.why else str(self.result)
        return f"| {' | '.join(map(_cell, (self.id, self.test, self.measured, self.must_hold, told)))} |"


@dataclass(frozen=True, slots=True)
class Section:
    """Tests that are run together; `run` yields a row for each as soon as it is over.

    Raising CannotRunError in it means that they can't be run on this machine, anything else that they failed.
    """

    ids: tuple[str, ...]
    title: str
    run: Callable[[Place], Iterator[Row]]


def judged(id_: str, test: str, measured: str, must_hold: str, broken: Sequence[str]) -> Row:
    """Return the row of a test that has failed if anything is broken."""
    more = [f"and {len(broken) - MAX_REASONS} more"] if len(broken) > MAX_REASONS else []
    why = "; ".join([*broken[:MAX_REASONS], *more])
    return Row(id_, test, measured, must_hold, Result.FAILED if broken else Result.OK, why)


def progress(text: str) -> None:
    """Tell, on standard error, how far it is."""
    minutes, seconds = divmod(int(time.monotonic() - _BEGAN), 60)
    print(f"  {minutes:02}:{seconds:02} {text}", file=sys.stderr, flush=True)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
