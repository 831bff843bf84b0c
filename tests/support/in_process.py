"""Running a command in this process: the real `main`, with arguments, variables, folder and streams of its own."""

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from unittest.mock import patch

from service.cli import main


class _Streams:
    """Standard input, output and errors: files, since an export writes to the descriptor of standard output."""

    def __init__(self, stack: ExitStack, stdin: str) -> None:
        self.stdin, self.stdout, self.stderr = (
            stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors=errors))  # noqa: SIM115
            for errors in ("strict", "strict", "backslashreplace")
        )
        self.stdin.write(stdin)
        self.stdin.seek(0)

    def written(self) -> tuple[str, str]:
        """Return what came out on standard output and standard error."""
        for stream in (self.stdout, self.stderr):
            stream.flush()
            stream.seek(0)
        return self.stdout.read(), self.stderr.read()


def run_in_process(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: str, seconds: float
) -> tuple[int, str, str]:
    """Run `modeldeck` with these arguments; return its exit status and what it wrote to its two outputs."""
    ended: list[int] = []
    with ExitStack() as stack:
        streams = _Streams(stack, stdin)
        stack.enter_context(_surroundings(arguments, folder, environment, streams))
        # A thread of its own has no event loop yet, also while that of the tests runs.
        thread = Thread(target=lambda: ended.append(_status()), name="modeldeck", daemon=True)
        thread.start()
        thread.join(seconds)
        assert not thread.is_alive(), f"{arguments} runs for more than {seconds:.0f} s: {streams.written()}"
        stdout, stderr = streams.written()
    return ended[0], stdout, stderr


def _status() -> int:
    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def _surroundings(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: _Streams
) -> Iterator[None]:
    """Give this process what a new one would have, for the duration of a block."""
    root, before = logging.getLogger(), Path.cwd()
    with (
        patch.object(sys, "argv", ["modeldeck", *arguments]),
        patch.multiple(sys, stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr),
        patch.dict(os.environ, environment, clear=True),
        # Decided anew, by $TMPDIR.
        patch.object(tempfile, "tempdir", None),
        # A new process has no handlers, and prints warnings to standard error.
        patch.object(root, "handlers", []),
        # Signals reach the main thread only; they are tested with processes.
        patch("service.cli.command_line.end_on_signals"),
    ):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
