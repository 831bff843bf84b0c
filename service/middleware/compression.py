"""Compresses answers with gzip for clients that ask for it (RFC 9110, sections 8.4 and 12.5.3)."""

import asyncio
import re
import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.etags import WEAK

MIN_BYTES = 1000
# Compressing more takes so long that it is left to a thread.
MAX_INLINE_BYTES = 64 * 1024
# The next levels take a third longer and save a twentieth more.
LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
_COMPRESSIBLE = re.compile(r"text/(?!event-stream\b)|application/(json|x-ndjson|javascript|[a-z.-]+\+json)\s*(;|$)")
# With these statuses there is no content, or only a part of it.
_NOT_WHOLE = {204, 206, 304}
_CODING = re.compile(r"\s*([!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:;\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?")


def accepts_gzip(accepted: str) -> bool:
    """Say whether a client that sends this as `Accept-Encoding` accepts gzip, and prefers nothing to it."""
    codings = [_CODING.fullmatch(coding) for coding in accepted.lower().split(",")]
    weights = {coding[1]: float(coding[2] or 1) for coding in codings if coding}
    gzip = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


class Compression:
    """Compresses what an application answers, part by part."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and compress the answer if the client asks for it and it is worth it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        accepted = ", ".join(Headers(scope=scope).getlist("Accept-Encoding"))
        await self._app(scope, receive, _Answer(send, wanted=accepts_gzip(accepted)).send)


class _Answer:
    """The answer to one request."""

    def __init__(self, send: Send, *, wanted: bool) -> None:
        self._send = send
        self._wanted = wanted
        self._held: Message | None = None
        self._parts: _Parts | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_compressible(message):
            # Held back until the first part of the body shows whether there is enough to compress.
            self._held = message
            return
        if self._held is not None:
            start, self._held = self._held, None
            await self._begin(start, message)
        elif self._parts is not None:
            message = await self._parts.compressed(message)
        await self._send(message)

    async def _begin(self, start: Message, first: Message) -> None:
        headers = MutableHeaders(scope=start)
        headers.add_vary_header("Accept-Encoding")
        body, more = first.get("body", b""), first.get("more_body", False)
        if self._wanted and (more or len(body) >= MIN_BYTES):
            self._parts = _Parts()
            first.update(await self._parts.compressed(first))
            headers["Content-Encoding"] = "gzip"
            del headers["Content-Length"]
            if not more:
                headers["Content-Length"] = str(len(first["body"]))
            if not (tag := headers.get("ETag", WEAK)).startswith(WEAK):
                # A strong tag would have to differ from that of the same content when it is not compressed.
                headers["ETag"] = WEAK + tag
        await self._send(start)


class _Parts:
    """The parts of one compressed body."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)

    async def compressed(self, message: Message) -> Message:
        body, flush = message.get("body", b""), zlib.Z_FINISH
        if message.get("more_body", False):
            # What is sent must be readable at once, not only together with what follows.
            flush = zlib.Z_SYNC_FLUSH
        if len(body) > MAX_INLINE_BYTES:
            return {**message, "body": await asyncio.to_thread(self._compress, body, flush)}
        return {**message, "body": self._compress(body, flush)}

    def _compress(self, body: bytes, flush: int) -> bytes:
        return self._compressor.compress(body) + self._compressor.flush(flush)


def _is_compressible(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    kind = headers.get("Content-Type", "").lower()
    return start["status"] not in _NOT_WHOLE and "Content-Encoding" not in headers and bool(_COMPRESSIBLE.match(kind))
