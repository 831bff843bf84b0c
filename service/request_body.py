"""JSON request bodies into typed forms: bounded, exact, and strict or lenient about unknown fields."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from typing import IO, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from service.context import require_still_entitled
from service.database import within_deadline
from service.errors import SHOWN_NAME_LENGTH, InvalidInputError, SlowRequestError, TooLargeError, invalid_input
from service.json_schema import REFERENCE_TEMPLATE
from service.query_string import NoParams, read_query

MAX_BODY_BYTES = 1_000_000
ARRIVAL_SECONDS = 60.0
# What was found out about a caller counts as long.
FRESH_SECONDS = 1.0

F = TypeVar("F", bound=BaseModel)


async def read_body(request: Request, form: type[F], *, lenient: bool, limit: int = MAX_BODY_BYTES) -> F:
    """Parse the body of a request into `form`; unknown top-level fields are refused, or ignored if `lenient`.

    So are query parameters: a route that reads a body takes none. Raises TooLargeError as soon as the body
    exceeds `limit` bytes, SlowRequestError when it takes too long to arrive, and InvalidInputError that names the
    field for anything else that is wrong. Whoever takes a while to send it has to have their rights still.
    """
    read_query(request, NoParams, lenient=lenient)
    body = bytearray()
    await _receive(request, limit, body.extend)
    if len(body) <= MAX_BODY_BYTES:
        return _parsed(body, form, lenient=lenient)
    # In a thread, so that other requests get their turns meanwhile.
    return await asyncio.to_thread(_parsed, body, form, lenient=lenient)


async def copy_body(request: Request, file: IO[bytes], limit: int) -> int:
    """Copy the body of a request to a file; return its size in bytes, and raise as `read_body` does."""
    await _receive(request, limit, file.write)
    return file.tell()


def _parsed(body: bytearray, form: type[F], *, lenient: bool) -> F:
    value = _decode(body)
    if lenient:
        value = {name: value[name] for name in value.keys() & form.model_fields.keys()}
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise invalid_input(error, "body") from None


async def _receive(request: Request, limit: int, take: Callable[[bytes], object]) -> None:
    started = time.monotonic()
    seconds = within_deadline(ARRIVAL_SECONDS)
    try:
        async with asyncio.timeout(seconds):
            await _bounded(request, limit, take)
    except TimeoutError:
        raise SlowRequestError(f"The body did not arrive within {seconds:.0f} seconds.") from None
    if limit > MAX_BODY_BYTES:
        # What takes long to send is not taken from the time to work on it.
        request.state.deadline.renew()
    if time.monotonic() - started > FRESH_SECONDS:
        await require_still_entitled(request)


async def _bounded(request: Request, limit: int, take: Callable[[bytes], object]) -> None:
    too_large = TooLargeError(f"The body exceeds {limit:,} bytes.")
    announced = request.headers.get("Content-Length", "")
    # The server has seen that it is a number.
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limit:
            raise too_large
        take(chunk)


class _RepeatedNameError(ValueError):
    """An object with one name twice, of which a reader would keep any."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        repeated, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise _RepeatedNameError(f"has the name {repeated[:SHOWN_NAME_LENGTH]!r} twice in one object")
    return value


def _decode(body: bytearray) -> dict[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError:
        raise InvalidInputError([{"loc": ["body"], "msg": "must be UTF-8"}]) from None
    except RecursionError:
        raise InvalidInputError([{"loc": ["body"], "msg": "is nested too deeply"}]) from None
    except _RepeatedNameError as error:
        raise InvalidInputError([{"loc": ["body"], "msg": str(error)}]) from None
    except ValueError as error:
        raise InvalidInputError([{"loc": ["body"], "msg": f"must be JSON: {error}"}]) from None
    if not isinstance(value, dict):
        raise InvalidInputError([{"loc": ["body"], "msg": "must be a JSON object"}])
    return value


def documented_body(form: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI request body of a route that reads `form`."""
    schema = form.model_json_schema(ref_template=REFERENCE_TEMPLATE)
    return {"required": True, "content": {"application/json": {"schema": schema}}}
