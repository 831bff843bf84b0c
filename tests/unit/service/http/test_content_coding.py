"""Decompressing the body of a request."""

import gzip
from io import BytesIO

import pytest

from service.errors import InvalidInputError, TooLargeError
from service.http import gzip_file
from service.http.content_coding import decompress

LIMIT = 200_000


def decompressed(body: bytes) -> bytes:
    file = BytesIO()
    decompress(BytesIO(body), file, LIMIT)
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * LIMIT, bytes(range(256)) * 700])
def test_the_content_comes_out(content: bytes) -> None:
    assert decompressed(gzip.compress(content)) == content
    half = len(content) // 2
    assert decompressed(gzip.compress(content[:half]) + gzip.compress(content[half:])) == content


@pytest.mark.parametrize(
    "bomb",
    [gzip.compress(b"x" * (LIMIT + 1)), 2 * gzip.compress(b"x" * (LIMIT // 2 + 1))],
    ids=["one member", "two members"],
)
def test_too_much_is_refused(bomb: bytes) -> None:
    with pytest.raises(TooLargeError, match="decompressed"):
        decompressed(bomb)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", gzip.compress(b"{}")[:-1], gzip.compress(b"{}") + b"x", gzip.compress(b"{}")[:-5] + b"\0" * 5],
    ids=["nothing", "plain", "cut off", "something behind it", "a wrong sum"],
)
def test_what_is_not_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError, match="gzip"):
        decompressed(body)


def test_members_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzip_file, "MAX_SMALL_MEMBERS", 4)
    assert decompressed(4 * gzip.compress(b"x")) == b"xxxx"
    with pytest.raises(InvalidInputError, match="4 compressed parts"):
        decompressed(5 * gzip.compress(b"x"))
