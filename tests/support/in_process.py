"""Running a command inside this process: the real `main`, with its own arguments, environment, folder and streams."""

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from threading import Thread
from unittest.mock import patch

from service.cli import main
from service.cli.command_line import LazyCommand


class _Streams:
    """Standard input, output and error as files, since an export writes to the file descriptor of standard output."""

    def __init__(self, stack: ExitStack, stdin: str) -> None:
        self.stdin, self.stdout, self.stderr = (
            stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors=errors))  # noqa: SIM115
            for errors in ("strict", "strict", "backslashreplace")
        )
        self.stdin.write(stdin)
        self.stdin.seek(0)

    def written(self) -> tuple[str, str]:
        """Return the text of standard output and of standard error."""
        for stream in (self.stdout, self.stderr):
            stream.flush()
            stream.seek(0)
        return self.stdout.read(), self.stderr.read()


_loaded = cache(LazyCommand.load)


def run_in_process(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: str, seconds: float
) -> tuple[int, str, str]:
    """Run `modeldeck` with these arguments; return its exit status and what it wrote to its two outputs."""
    ended: list[int] = []
    with ExitStack() as stack:
        streams = _Streams(stack, stdin)
        stack.enter_context(_surroundings(arguments, folder, environment, streams))
        # In a new thread, because the command starts an event loop, and that of the tests may be running in this one.
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
    """Give this process the state of a new one for the duration of a block."""
    root, before = logging.getLogger(), Path.cwd()
    with (
        patch.object(sys, "argv", ["modeldeck", *arguments]),
        patch.multiple(sys, stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr),
        patch.dict(os.environ, environment, clear=True),
        # Makes tempfile read $TMPDIR again.
        patch.object(tempfile, "tempdir", None),
        # A new process has no handlers, and prints warnings to standard error.
        patch.object(root, "handlers", []),
        # A process makes its command once. Here, all would be made again and again.
        patch.object(LazyCommand, "load", _loaded),
        # Only the main thread can handle signals; tests of signals use processes.
        patch("service.cli.command_line.end_on_signals"),
    ):
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)
