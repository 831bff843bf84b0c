"""Errors as application/problem+json (RFC 9457): the body, and its description in the OpenAPI document."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

from service.database.errors import MONGO_DETAILS
from service.errors import (
    InvalidInputError,
    StaleVersionError,
    TooManyLoginFailuresError,
    UnauthorizedError,
    UnsupportedCodingError,
)
from service.http.content_coding import IDENTITY
from service.http.json_schema import reference

# The failures of every route that authenticates its caller.
COMMON_FAILURES = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
# The failures of every route that reads a body.
BODY_FAILURES = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    *COMMON_FAILURES,
)
# What FastAPI takes as the `responses` of a route.
Responses = dict[int | str, dict[str, Any]]
# The success of a route that has nothing to return.
DONE: Responses = {200: {"description": "`true`", "model": bool}}
PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_SECONDS = "2"
# The parser of the web server takes no longer ones.
MAX_ADDRESS_BYTES = 65_535
ADDRESS_TOO_LONG = f"The address has more than {MAX_ADDRESS_BYTES:,} bytes."


class Fault(BaseModel):
    """One invalid part of a request."""

    loc: list[str | int] = Field(description="Where it is.", examples=[["query", "page_size"]])
    msg: str = Field(description="What is wrong.", examples=["Input should be less than or equal to 100"])
    allowed: list[str] = Field(default_factory=list, description="The allowed values, where there are only a few.")


# Documents what `problem_body` returns.
class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field("about:blank")
    title: str
    status: int
    detail: str = Field(description="A sentence for people.")
    errors: list[Fault] = Field(default_factory=list, description="With 422: the invalid parts.")


_FAULT = {"loc": ["query", "page_size"], "msg": "Input should be less than or equal to 100"}
# When it happens, and an example of its detail.
_DOCUMENTED = {
    HTTPStatus.UNAUTHORIZED: ("No credential, or one that is not valid (any more).", UnauthorizedError().detail),
    HTTPStatus.FORBIDDEN: (
        "The API key is for reading only, or the caller may not do this.",
        "This key is for reading only.",
    ),
    HTTPStatus.NOT_FOUND: (
        "Absent, or hidden from the caller.",
        "There is no such model, or it is not shared with you.",
    ),
    HTTPStatus.REQUEST_TIMEOUT: ("The body took too long.", "The body did not arrive within 60 seconds."),
    HTTPStatus.CONFLICT: (
        "What was asked for is taken, others were faster, the caller's rights have changed meanwhile, or the request "
        "with this `Idempotency-Key` is still running, or was done and can't be answered again.",
        MONGO_DETAILS[HTTPStatus.CONFLICT],
    ),
    HTTPStatus.GONE: (
        "The changes since the token are no longer kept, or too many.",
        "The changes since then are no longer kept; leave the token out, and get the models anew.",
    ),
    HTTPStatus.PRECONDITION_FAILED: ("`If-Match` does not list the current version.", StaleVersionError(3).detail),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("The body or a record is too large.", "The body exceeds 1,000,000 bytes."),
    HTTPStatus.REQUEST_URI_TOO_LONG: ("The address is too long: ask for fewer models at once.", ADDRESS_TOO_LONG),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "The body has a `Content-Encoding` that the route does not decode, or the `Content-Type` of no merge patch.",
        UnsupportedCodingError(IDENTITY).detail,
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("A part of the request is invalid.", InvalidInputError([_FAULT]).detail),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "Too many invalid credentials came from this address, or the caller has made too many changes or has too many "
        "idempotency keys.",
        TooManyLoginFailuresError(60).detail,
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "The service can't answer at the moment.",
        MONGO_DETAILS[HTTPStatus.SERVICE_UNAVAILABLE],
    ),
    HTTPStatus.GATEWAY_TIMEOUT: (
        "The database or the service took too long.",
        MONGO_DETAILS[HTTPStatus.GATEWAY_TIMEOUT],
    ),
}
_DOCUMENTED_HEADERS = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate", "The scheme to authenticate with.", "Bearer"),
    HTTPStatus.PRECONDITION_FAILED: ("ETag", "The current version, in quotes.", '"3"'),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("Accept-Encoding", "What the route decodes.", IDENTITY),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", "Seconds after which to try again.", "42"),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After", "Seconds after which to try again.", RETRY_AFTER_SECONDS),
}


def documented_problems(*statuses: HTTPStatus) -> Responses:
    """Return the OpenAPI responses for failures with these statuses."""
    return {int(status): _documented_problem(status) for status in statuses}


def documented_header(name: str, description: str, example: str) -> dict[str, Any]:
    """Return an OpenAPI response header."""
    return {name: {"description": description, "schema": {"type": "string"}, "example": example}}


def _documented_problem(status: HTTPStatus) -> dict[str, Any]:
    description, detail = _DOCUMENTED[status]
    example = problem_body(status, detail, [_FAULT] if status == HTTPStatus.UNPROCESSABLE_ENTITY else None)
    schema = reference(Problem.__name__)
    response: dict[str, Any] = {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": schema, "example": example}},
    }
    if status in _DOCUMENTED_HEADERS:
        response["headers"] = documented_header(*_DOCUMENTED_HEADERS[status])
    return response


def problem_body(status: int, detail: str, errors: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """Return the body of the response for one error."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    return body if errors is None else {**body, "errors": errors}
