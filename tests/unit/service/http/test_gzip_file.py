"""Gzip files of one or many members: what is read, and what ends the reading."""

import gzip
import io
import zlib

import pytest

from service.http import gzip_file
from service.http.gzip_file import GzipFile

EMPTY = gzip.compress(b"", mtime=0)
LONG = bytes(range(256)) * 1000
# An empty file, a name, a comment, and bytes for other programs in the header, as RFC 1952 allows.
NAMED = b"\x1f\x8b\x08\x1c\0\0\0\0\0\xff" + b"\x02\0ab" + b"name\0comment\0" + gzip.compress(b"named", mtime=0)[10:]


def read(content: bytes, longest: int | None = None) -> bytes:
    return io.BufferedReader(GzipFile(io.BytesIO(content), longest)).read()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gzip.compress(LONG), LONG),
        (gzip.compress(b"\0" * 1_000_000), b"\0" * 1_000_000),
        (EMPTY, b""),
        (b"".join(gzip.compress(LONG[at : at + 65_280]) for at in range(0, len(LONG), 65_280)) + EMPTY, LONG),
        (EMPTY * 3 + gzip.compress(b"one") + b"\0" * 20_000 + gzip.compress(b"two") + b"\0\0", b"onetwo"),
        (NAMED, b"named"),
    ],
    ids=["one member", "much from little", "nothing", "blocks", "zeros between and after", "a long header"],
)
def test_the_members_are_read_one_after_the_other(content: bytes, expected: bytes) -> None:
    assert read(content) == expected
    assert read(content, len(expected)) == expected


@pytest.mark.parametrize("cut", [1, 8, 9, 19])
def test_a_file_that_breaks_off_is_no_shorter_file(cut: int) -> None:
    with pytest.raises(EOFError, match="ends within"):
        read(gzip.compress(LONG, mtime=0)[:-cut])
    with pytest.raises(EOFError, match="ends within"):
        read(EMPTY + gzip.compress(b"", mtime=0)[:-cut])


@pytest.mark.parametrize("damaged", [gzip.compress(b"one") + b"two", gzip.compress(b"one")[:-1] + b"\1"])
def test_what_is_no_gzip_and_what_was_changed_is_refused(damaged: bytes) -> None:
    with pytest.raises(zlib.error):
        read(damaged)


def test_no_more_is_decompressed_than_allowed() -> None:
    with pytest.raises(OSError, match="more than 1,000 bytes when it is decompressed"):
        read(gzip.compress(b"\0" * 1_000_000), 1000)


def test_many_members_must_have_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzip_file, "MAX_SMALL_MEMBERS", 10)
    assert read(EMPTY * 10) == b""
    with pytest.raises(OSError, match="more than 10 compressed parts with less than 1,024 bytes"):
        read(EMPTY * 11)
    assert read(gzip.compress(LONG[:1024]) * 100) == LONG[:1024] * 100
