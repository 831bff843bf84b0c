"""JSON request bodies: read up to a limit, parsed without loss, and validated by a model."""

import asyncio
import hashlib
import json
import logging
import tempfile
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import IO, Any, ClassVar, Generic, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from service.auth.authentication import Caller
from service.auth.login_throttle import network
from service.database.work_context import within_deadline
from service.errors import (
    IDEMPOTENCY_KEY,
    SHOWN_NAME_LENGTH,
    InvalidInputError,
    SlowRequestError,
    TooLargeError,
    UnavailableError,
    invalid_input,
)
from service.http.compatibility import compatible_body, is_compatible
from service.http.content_coding import decompress, is_gzip
from service.http.dependencies import CallerDependency, get_context, require_still_entitled
from service.http.json_schema import REFERENCE_TEMPLATE, Schema
from service.http.json_values import count_values
from service.http.places import LongRequest
from service.http.responses import JSON

MAX_BODY_BYTES = 1_000_000
# A large body may have one value for so many bytes of its limit. Decoded, a value takes about 60 bytes, in the text as
# few as two.
MIN_BYTES_PER_VALUE = 16
ARRIVAL_SECONDS = 60.0
# A body that takes longer to arrive does not count among the requests in flight until it is there.
PROMPT_SECONDS = 0.05
# A body that takes longer to arrive is read for a caller whose rights may have changed.
FRESH_SECONDS = 1.0
NO_ROOM = "There is no room for a body of this size at the moment; nothing was done, try again later."

log = logging.getLogger("modeldeck")
M = TypeVar("M", bound=BaseModel)


class BodyReader(ABC):
    """A dependency that reads the body of a request; the OpenAPI document takes its description from here."""

    @abstractmethod
    def request_body(self) -> Schema:
        """Return the request body as OpenAPI describes it."""


class JsonBody(BodyReader, Generic[M]):
    """Reads the body of a request into `model`: at most `limit` bytes, and only for a known caller."""

    # For the OpenAPI document.
    media_types: ClassVar[Sequence[str]] = (JSON,)

    def __init__(self, model: type[M], limit: int) -> None:
        self._model = model
        self._limit = limit

    def request_body(self) -> Schema:
        """Return the request body as OpenAPI describes it."""
        schema = self._model.model_json_schema(ref_template=REFERENCE_TEMPLATE)
        return documented_json(schema, self.media_types)

    async def __call__(self, request: Request, _: CallerDependency) -> M:
        """Return the body; raises as `read_body` does."""
        return await read_body(request, self._model, self._limit)


def json_body(model: type[BaseModel], limit: int = MAX_BODY_BYTES) -> Any:
    """Return the annotation of a handler's parameter that is the JSON body of the request, parsed into `model`.

    FastAPI's own `Body()` would read the body before the caller is known, however large it is, and would keep the
    last of repeated names.
    """
    return Depends(JsonBody(model, limit))


def documented_json(schema: Schema, media_types: Sequence[str] = (JSON,)) -> Schema:
    """Return the OpenAPI request body for a JSON schema."""
    return {"required": True, "content": {name: {"schema": deepcopy(schema)} for name in media_types}}


async def read_body(request: Request, model: type[M], limit: int, *, takes_gzip: bool = False) -> M:
    """Parse the body of a request into `model`.

    Raises TooLargeError as soon as the body exceeds `limit` bytes, SlowRequestError when it takes too long to arrive,
    UnavailableError when it can't be stored meanwhile, UnsupportedCodingError when it is compressed, except with gzip
    if the route `takes_gzip`, and InvalidInputError that names the field for anything else that is wrong. A caller who
    took long to send it is authenticated again.

    The `Content-Type` is not looked at: a body is JSON or refused, whatever it is called.
    """
    compatible = is_compatible(request)
    with spool() as file:
        size = await copy_body(request, file, limit, takes_gzip=takes_gzip)
        if size <= MAX_BODY_BYTES:
            return _parsed(file.read(), model, most_values=size, compatible=compatible)
        # One at a time, because a large body takes many times its size until it is checked. In a thread, because
        # parsing it would block other requests.
        async with (await get_context(request)).large_bodies:
            most_values = limit // MIN_BYTES_PER_VALUE
            return await asyncio.to_thread(_parsed, file.read(), model, most_values=most_values, compatible=compatible)


@contextmanager
def spool() -> Iterator[IO[bytes]]:
    """Yield a temporary file for the body of a request: a large one takes disk instead of memory until it is parsed."""
    file: IO[bytes] = tempfile.SpooledTemporaryFile(MAX_BODY_BYTES)  # noqa: SIM115
    try:
        yield file
    finally:
        # On a full disk, closing fails too; the content is not needed any more.
        with suppress(OSError):
            file.close()


async def copy_body(request: Request, file: IO[bytes], limit: int, *, takes_gzip: bool = False) -> int:
    """Copy the body of a request to a file, rewind the file, and return the size in bytes.

    With `takes_gzip`, it is decompressed if its `Content-Encoding` says so, and `limit` counts before and after.
    Raises TooLargeError, SlowRequestError, UnavailableError and UnsupportedCodingError as `read_body` does.
    """
    if is_gzip(request.headers.getlist("Content-Encoding"), accepted=takes_gzip):
        with spool() as compressed:
            await _receive(request, compressed, limit)
            with _room():
                compressed.seek(0)
                # In a thread, because decompressing a large body would block other requests.
                await asyncio.to_thread(decompress, compressed, file, limit)
    else:
        await _receive(request, file, limit)
    with _room():
        size = file.tell()
        file.seek(0)
        if IDEMPOTENCY_KEY in request.headers:
            # By which the request is known again.
            request.state.body_sha256 = await _sha256(file, size)
    return size


async def _sha256(file: IO[bytes], size: int) -> bytes:
    # In a thread where it would block other requests.
    if size <= MAX_BODY_BYTES:
        digest = hashlib.sha256(file.read())
    else:
        digest = await asyncio.to_thread(hashlib.file_digest, file, "sha256")  # type: ignore[arg-type]
    file.seek(0)
    return digest.digest()


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError:
        log.exception("there is no room for the body of a request")
        raise UnavailableError(NO_ROOM) from None


def _parsed(body: bytes, model: type[M], *, most_values: int, compatible: bool) -> M:
    value = _decode(body, most_values)
    try:
        return model.model_validate(compatible_body(model, value) if compatible else value)
    except ValidationError as error:
        raise invalid_input(error, "body") from None


async def _receive(request: Request, file: IO[bytes], limit: int) -> None:
    started = time.monotonic()
    seconds = within_deadline(ARRIVAL_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            await _arrived(request, _bounded(request, file, limit))
    except TimeoutError:
        raise SlowRequestError(f"The body did not arrive within {seconds:.0f} seconds.") from None
    if limit > MAX_BODY_BYTES:
        # The time in which a large body arrives does not count as time to process it.
        request.state.deadline.renew()
    if time.monotonic() - started > FRESH_SECONDS and _caller(request) is not None:
        await require_still_entitled(request)


async def _arrived(request: Request, receiving: Coroutine[Any, Any, None]) -> None:
    """Wait for a body; raise UnavailableError when too many others are arriving, or too many requests are in flight."""
    task = asyncio.ensure_future(receiving)
    try:
        await asyncio.wait({task}, timeout=PROMPT_SECONDS)
        if task.done():
            return await task
        places = (await get_context(request)).places[LongRequest.SLOW_BODY]
        with places.taken_by(_sender(request)), request.state.slot.given_up():
            await task
    finally:
        task.cancel()
        # An exception of the task refers to this frame, which would refer to the task and keep the body in memory.
        del task


def _caller(request: Request) -> Caller | None:
    """Return who sends a request; None while somebody signs in."""
    return getattr(request.state, "caller", None)


def _sender(request: Request) -> str:
    if caller := _caller(request):
        return caller.user_id
    # No id of a user has a space.
    return f"somebody at {network(request.client.host if request.client else None)}"


async def _bounded(request: Request, file: IO[bytes], limit: int) -> None:
    announced = request.headers.get("Content-Length", "")
    # The web server has checked that it is a number.
    if announced.isdecimal() and int(announced) > limit:
        raise _too_large(limit)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise _too_large(limit)
        with _room():
            file.write(chunk)


def _too_large(limit: int) -> TooLargeError:
    # Not kept in a variable where it is raised: the exception and the frame would refer to each other, which would keep
    # the received body in memory until the next garbage collection.
    return TooLargeError(f"The body exceeds {limit:,} bytes.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    # Parsers differ in which value of a repeated name they keep.
    if len(value) < len(pairs):
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        msg = f"has the name {repeated[:SHOWN_NAME_LENGTH]!r} twice in one object"
        raise InvalidInputError([{"loc": ["body"], "msg": msg}])
    return value


def _decode(body: bytes, most_values: int) -> dict[str, Any]:
    try:
        # Some tools write a byte order mark first, which is no part of the JSON.
        text = body.decode("utf-8-sig")
        if most_values < len(body) and count_values(text, 0, len(text), most_values) > most_values:
            raise InvalidInputError([{"loc": ["body"], "msg": f"has more than {most_values:,} values"}])
        value = json.loads(text, object_pairs_hook=_object)
    except UnicodeDecodeError:
        raise InvalidInputError([{"loc": ["body"], "msg": "must be UTF-8"}]) from None
    except RecursionError:
        raise InvalidInputError([{"loc": ["body"], "msg": "is nested too deeply"}]) from None
    except ValueError as error:
        raise InvalidInputError([{"loc": ["body"], "msg": f"must be JSON: {error}"}]) from None
    if not isinstance(value, dict):
        raise InvalidInputError([{"loc": ["body"], "msg": "must be a JSON object"}])
    return value
