"""Reading a gzip file of any number of members, with bounds on what it costs."""

import io
import zlib
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 1 << 13
# Programs that write several members put 64 KB into each; in a file of rotated logs, each period has one.
MAX_SMALL_MEMBERS = 10_000
SMALL_MEMBER_BYTES = 1024
_GZIP_HEADER = 16 + zlib.MAX_WBITS


class GzipBoundError(OSError):
    """Decompressing costs more than it may."""


class GzipFile(io.RawIOBase):
    """The decompressed content of a gzip file, whose members follow each other; zeros may follow any of them.

    The module `gzip` reads headers and zeros byte by byte, and any number of empty members. Reading raises zlib.error
    or EOFError for a damaged file, and GzipBoundError for one of more than `longest` bytes or too many small members.
    """

    def __init__(self, file: IO[bytes], longest: int | None = None) -> None:
        self._file = file
        self._longest = longest
        # What was read of the file and not decompressed yet, and the member that it belongs to.
        self._input = b""
        self._member: zlib._Decompress | None = None
        self._members = 0
        self._size = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Read at least one byte, unless the file ends here."""
        room = memoryview(buffer)
        while (member := self._member or self._next_member()) is not None:
            ended = not self._input and not self._has_more()
            content = member.decompress(self._input, len(room))
            self._input = member.unused_data if member.eof else member.unconsumed_tail
            self._member = None if member.eof else member
            if content:
                self._count(len(content))
                room[: len(content)] = content
                return len(content)
            if ended and not member.eof:
                raise EOFError("it ends within a compressed part")
        return 0

    def _has_more(self) -> bool:
        self._input = self._file.read(READ_BYTES)
        return bool(self._input)

    def _next_member(self) -> "zlib._Decompress | None":
        padding = b"\0" if self._members else b""
        self._input = self._input.lstrip(padding)
        while not self._input and self._has_more():
            self._input = self._input.lstrip(padding)
        if not self._input:
            return None
        self._members += 1
        if self._members > MAX_SMALL_MEMBERS + self._size // SMALL_MEMBER_BYTES:
            raise GzipBoundError(
                f"it has more than {MAX_SMALL_MEMBERS:,} compressed parts with less than {SMALL_MEMBER_BYTES:,} bytes"
            )
        return zlib.decompressobj(_GZIP_HEADER)

    def _count(self, size: int) -> None:
        self._size += size
        if self._longest is not None and self._size > self._longest:
            raise GzipBoundError(f"it has more than {self._longest:,} bytes when it is decompressed")
