"""When and how an answer is compressed."""

import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from service.middleware.compression import MAX_INLINE_BYTES, MIN_BYTES, Compression, accepts_gzip
from tests.support.asgi_exchange import Exchange

LONG = b"abc " * MIN_BYTES


async def answered(app: ASGIApp, accepted: str | None = "gzip") -> Exchange:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    return await Exchange(headers=headers).with_app(Compression(app))


def decompressed(body: bytes) -> bytes:
    return zlib.decompress(body, 16 + zlib.MAX_WBITS)


@pytest.mark.parametrize(
    "accepted",
    [
        *("gzip", "GZip", "x-gzip", "deflate, gzip", "br;q=1, gzip;q=0.001", "gzip;q=1.000", "gzip ; Q=0.5", "*"),
        *("*;q=0.1", "gzip, *;q=0", "identity;q=0.5, gzip", "gzip,identity;q=1", " , gzip,"),
    ],
)
def test_gzip_is_asked_for(accepted: str) -> None:
    assert accepts_gzip(accepted)


@pytest.mark.parametrize(
    "accepted",
    [
        *("", "identity", "br, deflate", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "gzipped", "gzip;q=2"),
        *("gzip;q=", "gzip;p=1", "gzip;q=-1", "identity;q=1, gzip;q=0.5", "gzip;q=0.1234"),
    ],
)
def test_gzip_is_not_asked_for(accepted: str) -> None:
    assert not accepts_gzip(accepted)


async def test_a_long_answer_is_compressed_if_the_client_asks() -> None:
    app = Response(LONG, media_type="application/json", headers={"ETag": '"3"', "Vary": "Origin"})
    exchange = await answered(app)
    headers = exchange.response_headers
    assert decompressed(exchange.body) == LONG
    assert (headers["content-encoding"], headers["content-length"]) == ("gzip", str(len(exchange.body)))
    assert (headers["etag"], headers["vary"]) == ('W/"3"', "Origin, Accept-Encoding")
    plain = await answered(app, None)
    assert (plain.body, plain.response_headers["etag"]) == (LONG, '"3"')
    assert plain.response_headers["vary"] == "Origin, Accept-Encoding"
    assert "content-encoding" not in plain.response_headers


@pytest.mark.parametrize(
    "options",
    [
        {"content": b"x" * (MIN_BYTES - 1), "media_type": "application/json"},
        {"content": LONG, "media_type": "image/png"},
        {"content": LONG, "media_type": "text/event-stream"},
        {"content": LONG, "media_type": "application/vnd.apache.parquet"},
        {"content": LONG, "media_type": "application/json", "headers": {"Content-Encoding": "br"}},
        {"content": LONG, "media_type": "application/json", "status_code": 206},
        {"content": b"", "status_code": 304, "headers": {"ETag": '"3"'}},
        {"content": LONG},
    ],
    ids=str,
)
async def test_others_are_sent_as_they_are(options: dict[str, Any]) -> None:
    exchange, plain = await answered(Response(**options)), await answered(Response(**options), None)
    assert (exchange.body, exchange.response_headers) == (plain.body, plain.response_headers)
    assert exchange.response_headers.get("content-encoding") in (None, "br")


@pytest.mark.parametrize(
    "kind", ["text/csv; charset=utf-8", "application/x-ndjson", "application/problem+json", "TEXT/HTML"]
)
async def test_all_kinds_of_text_are_compressed(kind: str) -> None:
    exchange = await answered(Response(LONG, headers={"Content-Type": kind}))
    assert decompressed(exchange.body) == LONG


async def test_each_part_can_be_read_when_it_arrives() -> None:
    sent = [b"first ", b"", b"x" * (2 * MAX_INLINE_BYTES), b"last"]

    async def parts() -> AsyncIterator[bytes]:
        for part in sent:
            yield part

    exchange = await answered(StreamingResponse(parts(), media_type="text/csv"))
    assert "content-length" not in exchange.response_headers
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert [decoder.decompress(message["body"]) for message in exchange.sent[1:]] == [*sent, b""]
    assert decoder.eof
