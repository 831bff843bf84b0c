"""The `Content-Encoding` of a request (RFC 9110, section 8.4): which ones a route takes, and decoding them."""

import zlib
from collections.abc import Sequence
from typing import IO

from service.errors import InvalidInputError, TooLargeError, UnsupportedCodingError

GZIP, IDENTITY = "gzip", "identity"
_CODINGS = {GZIP: GZIP, "x-gzip": GZIP}
_FORMAT = 16 + zlib.MAX_WBITS
_CHUNK_BYTES = 1 << 16
# Enough for tools that make a member of every block of 64 KB. Each costs time, however little it holds.
MAX_MEMBERS = 10_000


def is_gzip(lines: Sequence[str], *, accepted: bool) -> bool:
    """Say whether a body with these lines of `Content-Encoding` is compressed with gzip.

    Raises UnsupportedCodingError when it is and that is not `accepted`, and for all other codings.
    """
    listed = ",".join(lines).lower().split(",")
    codings = [_CODINGS.get(coding, coding) for part in listed if (coding := part.strip()) not in ("", IDENTITY)]
    if codings and not (accepted and codings == [GZIP]):
        raise UnsupportedCodingError(GZIP if accepted else IDENTITY)
    return bool(codings)


def decompress(compressed: IO[bytes], file: IO[bytes], limit: int) -> None:
    """Copy the decompressed content of a file to another one.

    Raises TooLargeError as soon as it exceeds `limit` bytes, and InvalidInputError for what is not gzip.
    """
    members = 0
    decoder, rest = zlib.decompressobj(_FORMAT), compressed.read(_CHUNK_BYTES)
    try:
        while rest:
            content = decoder.decompress(rest, _CHUNK_BYTES)
            if file.tell() + len(content) > limit:
                raise TooLargeError(f"The body exceeds {limit:,} bytes when it is decompressed.")
            file.write(content)
            rest = decoder.unconsumed_tail or decoder.unused_data or compressed.read(_CHUNK_BYTES)
            if decoder.eof and rest:
                members += 1
                if members > MAX_MEMBERS:
                    raise _invalid(f"has more than {MAX_MEMBERS:,} members")
                decoder = zlib.decompressobj(_FORMAT)
    except zlib.error:
        raise _invalid("is not gzip, which its Content-Encoding says") from None
    if not decoder.eof:
        raise _invalid("ends too early for gzip, which its Content-Encoding says")


def _invalid(msg: str) -> InvalidInputError:
    return InvalidInputError([{"loc": ["body"], "msg": msg}])
