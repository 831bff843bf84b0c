"""Reading a file of any size, plain or gzip, from a path or standard input, more than once."""

import io
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
MAX_INCLUDED_BYTES = 1 << 24

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


# The kind of an item that stands for no record.
NOTE = "note"


@dataclass(frozen=True, slots=True)
class Sibling:
    """A record that its source gives no id, and that may have siblings with the same identity.

    `id_of` returns the id of the record with this identity and a number. `equals` is the position of an earlier record
    that has the same content.
    """

    identity: str
    id_of: Callable[[int], str] = field(compare=False)
    equals: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a source: its kind, its position, and its decoded JSON or the problem that prevents it.

    `notes` are remarks, and `kept_out` says which parts of it are not imported and why. The kind `note` stands for no
    record and has only notes. `group_names` has the names of groups whose ids were made from them. `former_id` matches
    the ids that an earlier version made of such a record. With a `sibling`, its id is provisional. `users_there` has
    pairs of the id of a user here and one that the source has for them in a grant, where these differ.
    """

    kind: str
    position: str
    value: Any = None
    problem: str | None = None
    notes: tuple[str, ...] = ()
    kept_out: tuple[str, ...] = ()
    group_names: tuple[tuple[str, str], ...] = ()
    users_there: tuple[tuple[str, str], ...] = ()
    former_id: str | None = None
    sibling: Sibling | None = None


class Source:
    """A file that can be read more than once."""

    def __init__(
        self,
        file: IO[bytes],
        size: int,
        bounds: Bounds = Bounds(),  # frozen
        path: Path | None = None,
        *,
        follow_includes: bool = False,
    ) -> None:
        """Read from `file`, which has `size` bytes; `path` is where it is, if it has a name.

        With `follow_includes`, files that it includes are read too, from its folder only.
        """
        self._file = file
        self.size = size
        self.bounds = bounds
        self.path = path
        self._follow_includes = follow_includes

    def included(self, name: str) -> "Source | str":
        """Return another file of its folder that it includes, or the reason why that is not read."""
        if not self._follow_includes:
            return "was not read; modeldeck import --follow-includes reads it"
        if self.path is None:
            return "was not read, since what has no name has no folder either"
        try:
            path = _beside(self.path, name)
            with path.open("rb") as file:
                content = file.read(MAX_INCLUDED_BYTES + 1)
        except (SourceError, OSError) as error:
            return error.detail if isinstance(error, SourceError) else f"can't be read: {error.strerror}"
        if len(content) > MAX_INCLUDED_BYTES:
            return f"has more than {MAX_INCLUDED_BYTES:,} bytes, so it was not read"
        return Source(io.BytesIO(content), len(content), self.bounds, path)

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


def _beside(path: Path, name: str) -> Path:
    """Return the path of another file in the folder of a file; raise SourceError for any other place, or no file."""
    folder = path.resolve().parent
    try:
        found = (folder / name).resolve()
    except (ValueError, RuntimeError):
        raise SourceError("can't be read: not the name of a file") from None
    if found.parent != folder:
        raise SourceError("is not in the same folder, so it was not read")
    if found.exists() and not found.is_file():
        raise SourceError("can't be read: not a file")
    return found


# Yields the records of a file; called twice for an import.
Reader = Callable[[Source], Iterator[Item]]


class _Unclosed(io.BufferedReader):
    """Leaves the file open when the text that wraps it is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(cast(io.RawIOBase, file))

    def close(self) -> None:
        self.detach()


@contextmanager
def open_source(path: str, *, follow_includes: bool = False) -> Iterator[Source]:
    """Open a file by path, or standard input as `-`; a stream is copied to a temporary file first.

    With `follow_includes`, the files of its folder that a file includes are read too.
    """
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
            size = os.fstat(file.fileno()).st_size
            yield Source(file, size, path=Path(path), follow_includes=follow_includes)
            return
        with _copied(file, Path(path)) as source:
            yield source


@contextmanager
def _copied(stream: IO[bytes], path: Path | None = None) -> Iterator[Source]:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        yield Source(copy, copy.tell(), path=path)
