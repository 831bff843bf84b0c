"""The result of each fault test as a row of one Markdown table, and progress on standard error."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from faults.environment.workspace import Workspace

HEAD = "| id | fault or test | measured | must hold | result |\n|---|---|---|---|---|"
MAX_PROBLEMS = 3
_BEGAN = time.monotonic()


class Result(StrEnum):
    """How a test ended."""

    OK = "ok"
    FAILED = "FAILED"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """One test: what was done, what was measured, what must hold, and the result with its reason."""

    id: str
    test: str
    measured: str
    must_hold: str
    result: Result
    reason: str = ""

    def __str__(self) -> str:
        result = f"{self.result}: {self.reason}" if self.reason else str(self.result)
        return f"| {' | '.join(map(_cell, (self.id, self.test, self.measured, self.must_hold, result)))} |"


@dataclass(frozen=True, slots=True)
class Section:
    """Tests that run together; `run` yields the row of each as soon as it has ended.

    If `run` raises CannotRunError, the tests are skipped on this machine; any other exception means that they failed.
    """

    ids: tuple[str, ...]
    title: str
    run: Callable[[Workspace], Iterator[Row]]


def checked_row(id_: str, test: str, measured: str, must_hold: str, problems: Sequence[str]) -> Row:
    """Return the row of a test, which failed if there are any problems; the first few are its reason."""
    more = [f"and {len(problems) - MAX_PROBLEMS} more"] if len(problems) > MAX_PROBLEMS else []
    reason = "; ".join([*problems[:MAX_PROBLEMS], *more])
    return Row(id_, test, measured, must_hold, Result.FAILED if problems else Result.OK, reason)


def progress(text: str) -> None:
    """Print a line of progress, with the time since the start, to standard error."""
    minutes, seconds = divmod(int(time.monotonic() - _BEGAN), 60)
    print(f"  {minutes:02}:{seconds:02} {text}", file=sys.stderr, flush=True)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
