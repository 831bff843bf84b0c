"""Reading a file of any size, plain or gzip, from a path or standard input, more than once."""

import gzip
import io
import json
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

GZIP_MAGIC = b"\x1f\x8b"
CHUNK_CHARACTERS = 1 << 18
CHUNK_BYTES = 1 << 16
# A single value larger than this is no model record; reading on would only fill the memory.
MAX_VALUE_CHARACTERS = 1 << 25

# Far more digits than 64 bits hold, far fewer than Python refuses to read.
MAX_DIGITS = 30


def _integer(digits: str) -> int:
    return int(digits[:MAX_DIGITS])


# NaN, the infinities and integers of any length are decoded although they can't be stored: the check of the record
# refuses them, and its message names the field.
DECODER = json.JSONDecoder(parse_int=_integer)
UNREADABLE = (UnicodeDecodeError, EOFError, OSError, zlib.error)
_WHITESPACE = " \t\r\n"


class SourceError(ModeldeckError):
    """The source can't be read any further; the message says where."""


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a source: its kind, its position, and its decoded JSON or the problem that prevents it."""

    kind: str
    position: str
    value: Any = None
    problem: str | None = None
    notes: tuple[str, ...] = ()


class Source:
    """A file that can be read more than once."""

    def __init__(
        self, file: IO[bytes], size: int, *, longest: int | None = None, longest_value: int = MAX_VALUE_CHARACTERS
    ) -> None:
        """Read from `file`, which has `size` bytes.

        A gzip file may have at most `longest` bytes when it is decompressed. No single value may have more than
        `longest_value` characters.
        """
        self._file = file
        self._longest = longest
        self.size = size
        self.longest_value = longest_value

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
        file = gzip.GzipFile(mode="rb", fileobj=self._file)
        return cast(IO[bytes], file if self._longest is None else _Bounded(file, self._longest))


# Yields the records of a file; called twice for an import.
Reader = Callable[[Source], Iterator[Item]]


class _Bounded(io.BufferedIOBase):
    """A decompressed file that fails when it has more than `longest` bytes."""

    def __init__(self, file: gzip.GzipFile, longest: int) -> None:
        self._file = file
        self._longest = longest

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        return self._counted(self._file.read(size))

    def read1(self, size: int = -1, /) -> bytes:
        return self._counted(self._file.read1(size))

    def _counted(self, read: bytes) -> bytes:
        if self._file.tell() > self._longest:
            raise OSError(f"it has more than {self._longest:,} bytes when it is decompressed")
        return read


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


class JsonScanner:
    """Reads JSON text one value at a time, so that the largest value bounds the memory.

    Unlike event parsers it decodes integers of any size and lone surrogates as Python does, so that a record that
    can't be stored is refused instead of being changed without notice.
    """

    def __init__(self, text: IO[str], longest_value: int = MAX_VALUE_CHARACTERS) -> None:
        self._text = text
        self._longest_value = longest_value
        self._buffer = ""
        self._at = 0
        self._passed = 0
        self._ended = False

    def _more(self) -> bool:
        self._passed += self._at
        held = len(self._buffer) - self._at
        try:
            # As much again, so that decoding a long value is not tried too often, but no more than a value may have.
            read = self._text.read(max(CHUNK_CHARACTERS, min(held, self._longest_value + 1 - held)))
        except UNREADABLE as error:
            raise self.error(f"can't be read: {error}") from None
        self._buffer = self._buffer[self._at :] + read
        self._at = 0
        self._ended = not read
        return bool(read)

    def error(self, problem: str) -> SourceError:
        """Return an error that names the position in the text."""
        return SourceError(f"after {self._passed + self._at:,} characters: {problem}")

    def peek(self) -> str:
        """Return the next character that is not whitespace, or nothing at the end."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _WHITESPACE:
                    return self._buffer[self._at]
                self._at += 1
            if self._ended or not self._more():
                return ""

    def take(self, expected: str) -> str:
        """Read one of the expected characters, and return it."""
        found = self.peek()
        if not found or found not in expected:
            raise self.error(f"expected {' or '.join(expected)}, found {found or 'the end'}")
        self._at += 1
        return found

    def value(self) -> Any:
        """Decode the next value."""
        self.peek()
        while True:
            problem = "the file ends within a value"
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                problem = error.msg
            except RecursionError:
                raise self.error("nested too deeply") from None
            else:
                # A number at the end of the buffer may continue after it.
                if end < len(self._buffer) or self._ended:
                    self._at = end
                    return value
            if len(self._buffer) - self._at > self._longest_value:
                raise self.error(f"{problem}, or a value of more than {self._longest_value:,} characters")
            if self._ended or not self._more():
                if problem == "the file ends within a value":
                    continue
                raise self.error(f"not valid JSON: {problem}")

    def elements(self) -> Iterator[Any]:
        """Decode the elements of the next array, one by one."""
        for _ in self._parts("[", "]"):
            yield self.value()

    def members(self) -> Iterator[str]:
        """Yield the names of the next object; the caller reads each value before the next name."""
        for _ in self._parts("{", "}"):
            name = self.value()
            if not isinstance(name, str):
                raise self.error("expected a name")
            self.take(":")
            yield name

    def _parts(self, opening: str, closing: str) -> Iterator[None]:
        """Yield before each part of an array or object; the caller reads the part before the next one."""
        self.take(opening)
        if self.peek() == closing:
            self.take(closing)
            return
        yield
        while self.take("," + closing) == ",":
            yield

    def end(self, read: str) -> None:
        """Raise SourceError when there is more text; `read` names what was read."""
        if self.peek():
            raise self.error(f"more text after {read}")
