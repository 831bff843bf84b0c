"""Reads stored values back exactly, measures them, and compares them by BSON types and order."""

import asyncio
from collections.abc import Sequence
from typing import Any

import bson
import bson.errors
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument

Record = dict[str, Any]

STORED: CodecOptions[Record] = CodecOptions(tz_aware=True)
RAW = CodecOptions(document_class=RawBSONDocument, tz_aware=True)
# A date beyond the years 1 to 9999, written past the service, must not make a record unreadable.
_EXACT: CodecOptions[Record] = CodecOptions(tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_EXACT_RAW = RAW.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)


# Decoding more than this would stop the event loop for milliseconds.
MAX_BYTES_ON_LOOP = 256 * 1024


class Encoded:
    """What a call has found, as it came from the server."""

    def __init__(self, documents: Sequence[RawBSONDocument | Record]) -> None:
        """Keep the documents."""
        self._documents = documents
        self._decoded: list[Record] | None = None

    @property
    def raw(self) -> bytes:
        """The BSON of all documents; the same only where all that was found is the same."""
        return b"".join(
            bytes(document.raw) if isinstance(document, RawBSONDocument) else bson.encode(document)
            for document in self._documents
        )

    async def decoded(self) -> list[Record]:
        """Return the documents, decoded exactly; many of them in a thread."""
        if self._decoded is None:
            size = sum(len(document.raw) for document in self._documents if isinstance(document, RawBSONDocument))
            if size > MAX_BYTES_ON_LOOP:
                self._decoded = await asyncio.to_thread(decode_all_exactly, self._documents)
            else:
                self._decoded = decode_all_exactly(self._documents)
        return self._decoded


def decode_exactly(document: RawBSONDocument | Record) -> Record:
    """Decode a document so that free-form values come back as they were stored.

    The driver turns any embedded `{"$ref": …, "$id": …}` into a DBRef, which loses the order of its names. So a
    document that contains both names is decoded one embedded document at a time.
    """
    if not isinstance(document, RawBSONDocument):
        return document
    raw = bytes(document.raw)
    if _is_like_a_reference(raw):
        inflated = _decoded_by_level(RawBSONDocument(raw, _EXACT_RAW))
        assert isinstance(inflated, dict)  # noqa: S101  # a document decodes to a dict
        return inflated
    return bson.decode(raw, _EXACT)


def decode_all_exactly(documents: Sequence[RawBSONDocument | Record]) -> list[Record]:
    """Decode documents as `decode_exactly` does, and all of them at once where none needs more care."""
    raw = [document.raw for document in documents if isinstance(document, RawBSONDocument)]
    together = b"".join(raw)
    if len(raw) < len(documents) or _is_like_a_reference(together):
        return [decode_exactly(document) for document in documents]
    return bson.decode_all(together, _EXACT)


def _is_like_a_reference(raw: bytes) -> bool:
    return b"$ref\0" in raw and b"$id\0" in raw


def _decoded_by_level(value: Any) -> Any:
    if isinstance(value, RawBSONDocument):
        return {name: _decoded_by_level(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_decoded_by_level(child) for child in value]
    return value


def int64(number: int) -> int:
    """Return a number that is stored as a 64-bit integer even when it is small."""
    return bson.Int64(number)


def document_size(document: Record) -> int:
    """Return the size of a document as BSON, in bytes; raise ValueError when it can't be stored at all."""
    try:
        return len(bson.encode(document))
    except (bson.errors.BSONError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None


def same_content(one: Record, other: Record) -> bool:
    """Return whether two documents have the same BSON; unlike `==`, this compares types and the order of names."""
    return bson.encode(one) == bson.encode(other)


def value_bytes(value: Any) -> bytes:
    """Return a value as BSON: equal for two values only if they have the same types and the same order of names."""
    return bson.encode({"": value})


def unordered_bytes(value: Any) -> bytes:
    """Return a value as BSON with its names sorted: equal for values that differ only in their order."""
    return value_bytes(_sorted(value))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(element) for element in value] if isinstance(value, list) else value
