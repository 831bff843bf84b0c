"""The `Content-Encoding` of a request (RFC 9110, section 8.4): which ones a route takes, and decoding them."""

import zlib
from collections.abc import Sequence
from typing import IO

from service.errors import InvalidInputError, TooLargeError, UnsupportedCodingError
from service.http.gzip_file import GzipBoundError, GzipFile

GZIP, IDENTITY = "gzip", "identity"
_CODINGS = {GZIP: GZIP, "x-gzip": GZIP}
_CHUNK_BYTES = 1 << 16


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
    content, size = GzipFile(compressed), 0
    try:
        while part := content.read(_CHUNK_BYTES):
            size += len(part)
            if size > limit:
                raise TooLargeError(f"The body exceeds {limit:,} bytes when it is decompressed.")
            file.write(part)
    except zlib.error:
        raise _invalid("is not gzip, which its Content-Encoding says") from None
    except EOFError:
        raise _invalid("ends too early for gzip, which its Content-Encoding says") from None
    except GzipBoundError as error:
        raise _invalid(f"can't be decompressed: {error}") from None
    if not size and not compressed.tell():
        raise _invalid("is empty, and not gzip, which its Content-Encoding says")


def _invalid(msg: str) -> InvalidInputError:
    return InvalidInputError([{"loc": ["body"], "msg": msg}])
