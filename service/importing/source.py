"""Reading a file of any size, plain or gzip, from a path or standard input, more than once."""

import io
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from service.errors import ModeldeckError
from service.http.gzip_file import GzipFile

GZIP_MAGIC = b"\x1f\x8b"
CHUNK_BYTES = 1 << 16
# A single value larger than this is no model record; reading on would only fill the memory.
MAX_VALUE_CHARACTERS = 1 << 25
# An alias counts as much as the values that it repeats. A value takes about 400 bytes.
MAX_YAML_VALUES = 500_000

UNREADABLE = (UnicodeDecodeError, EOFError, OSError, zlib.error)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a source may have at most; None stands for any number.

    `size` is that of a gzip file when it is decompressed, in bytes. `records` are also lines, and parts of an object.
    """

    size: int | None = None
    value_characters: int = MAX_VALUE_CHARACTERS
    records: int | None = None
    values: int | None = None
    yaml_values: int = MAX_YAML_VALUES


class SourceError(ModeldeckError):
    """The source can't be read any further; the message says where."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a source: its kind, its position, and its decoded JSON or the problem that prevents it.

    `notes` are remarks. The kind `note` stands for no record and has only notes.
    """

    kind: str
    position: str
    value: Any = None
    problem: str | None = None
    notes: tuple[str, ...] = ()


class Source:
    """A file that can be read more than once."""

    def __init__(self, file: IO[bytes], size: int, bounds: Bounds = Bounds()) -> None:  # frozen
        """Read from `file`, which has `size` bytes."""
        self._file = file
        self.size = size
        self.bounds = bounds

    def tell(self) -> int:
        """Return how many of its `size` bytes have been read."""
        return self._file.tell()

    def text(self) -> IO[str]:
        """Return the decompressed text of the file from its beginning."""
        return io.TextIOWrapper(self._decompressed(), encoding="utf-8-sig", errors="strict", newline="")

    def head(self, size: int) -> bytes:
        """Return the first bytes of the decompressed file, also of one that ends too early."""
        head = b""
        with self._decompressed() as file, suppress(*UNREADABLE):
            while len(head) < size and (chunk := file.read(min(CHUNK_BYTES, size - len(head)))):
                head += chunk
        return head

    def _decompressed(self) -> IO[bytes]:
        self._file.seek(0)
        compressed = self._file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        self._file.seek(0)
        if not compressed:
            return _Unclosed(self._file)
        return io.BufferedReader(GzipFile(self._file, self.bounds.size), CHUNK_BYTES)


# Yields the records of a file; called twice for an import.
Reader = Callable[[Source], Iterator[Item]]


class _Unclosed(io.BufferedReader):
    """Leaves the file open when the text that wraps it is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(cast(io.RawIOBase, file))

    def close(self) -> None:
        self.detach()


@contextmanager
def open_source(path: str) -> Iterator[Source]:
    """Open a file by path, or standard input as `-`; a stream is copied to a temporary file first."""
    if path == "-":
        with _copied(sys.stdin.buffer) as source:
            yield source
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None
    with file:
        if file.seekable():
            yield Source(file, os.fstat(file.fileno()).st_size)
            return
        with _copied(file) as source:
            yield source


@contextmanager
def _copied(stream: IO[bytes]) -> Iterator[Source]:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        yield Source(copy, copy.tell())
