"""Errors as responses: application/problem+json (RFC 9457), and its description in the OpenAPI document."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from service.database.errors import (
    INTERNAL_DETAIL,
    MONGO_DETAILS,
    DatabaseError,
    mongo_detail,
    mongo_status,
    refused_fields,
)
from service.database.work_context import write_tracker
from service.errors import (
    InvalidInputError,
    ModeldeckError,
    StaleVersionError,
    TooManyLoginFailuresError,
    UnauthorizedError,
    validation_errors,
)
from service.http.json_schema import reference
from service.http.query_params import query_fields, unknown_parameter

log = logging.getLogger("modeldeck")

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
    *COMMON_FAILURES,
)
PROBLEM_JSON = "application/problem+json"
_NOT_NOW = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
RETRY_AFTER_SECONDS = "2"
UNKNOWN_OUTCOME = " Whether the change was made is not known."


class Fault(BaseModel):
    """One invalid part of a request."""

    loc: list[str | int] = Field(description="Where it is.", examples=[["query", "page_size"]])
    msg: str = Field(description="What is wrong.", examples=["Input should be less than or equal to 100"])
    allowed: list[str] = Field(default_factory=list, description="The allowed values, where there are only a few.")


# Documents the answers that `problem` renders.
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
        "What was asked for is taken, others were faster, or the caller's rights have changed meanwhile.",
        MONGO_DETAILS[HTTPStatus.CONFLICT],
    ),
    HTTPStatus.PRECONDITION_FAILED: ("`If-Match` is not the current version.", StaleVersionError(3).detail),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("The body or a record is too large.", "The body exceeds 1,000,000 bytes."),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("A part of the request is invalid.", InvalidInputError([_FAULT]).detail),
    HTTPStatus.TOO_MANY_REQUESTS: (
        "Too many invalid credentials came from this address.",
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
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After", "Seconds after which to try again.", "42"),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After", "Seconds after which to try again.", RETRY_AFTER_SECONDS),
}


def documented_problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses for failures with these statuses."""
    return {int(status): _documented_problem(status) for status in statuses}


def documented_header(name: str, description: str, example: str) -> dict[str, Any]:
    """Return an OpenAPI response header."""
    return {name: {"description": description, "schema": {"type": "string"}, "example": example}}


def _documented_problem(status: HTTPStatus) -> dict[str, Any]:
    description, detail = _DOCUMENTED[status]
    example = _body(status, detail, [_FAULT] if status == HTTPStatus.UNPROCESSABLE_ENTITY else None)
    schema = reference(Problem.__name__)
    response: dict[str, Any] = {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": schema, "example": example}},
    }
    if status in _DOCUMENTED_HEADERS:
        response["headers"] = documented_header(*_DOCUMENTED_HEADERS[status])
    return response


def problem(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, Any]] | None = None,
) -> Response:
    """Return the response for one error."""
    extra = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra.setdefault("Retry-After", RETRY_AFTER_SECONDS)
    return Response(orjson.dumps(_body(status, detail, errors)), status, extra, media_type=PROBLEM_JSON)


def _body(status: int, detail: str, errors: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    return body if errors is None else {**body, "errors": errors}


def _invalid_parameters(request: Request, error: RequestValidationError) -> InvalidInputError:
    """Return the errors that FastAPI has found in parameters and headers as our error."""
    found = error.errors()
    fields = query_fields(request.scope["endpoint"])
    rendered = [
        unknown_parameter(str(one["loc"][-1]), fields) if one["type"] == "extra_forbidden" else item
        for one, item in zip(found, validation_errors(found), strict=True)
    ]
    # A dependency that reads the same parameters as its handler finds the same errors.
    return InvalidInputError([item for at, item in enumerate(rendered) if item not in rendered[:at]])


def install_error_handlers(app: FastAPI) -> None:
    """Have every error of `app` sent as application/problem+json."""

    @app.exception_handler(ModeldeckError)
    async def _known(_: Request, error: ModeldeckError) -> Response:
        errors = error.errors if isinstance(error, InvalidInputError) else None
        return problem(error.status, error.detail, error.headers, errors)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        return await _known(request, _invalid_parameters(request, error))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(DatabaseError)
    async def _mongo(request: Request, error: DatabaseError) -> Response:
        status = mongo_status(error)
        # The message of a driver error can quote a query or a document, so only its type is logged.
        log.error("database error %s code=%s -> %d", type(error).__name__, getattr(error, "code", None), status)
        if fields := refused_fields(error):
            log.error("the validator refused a record for: %s", ", ".join(fields))
        if status in _NOT_NOW and request.method not in SAFE_METHODS and write_tracker().may_have_changed:
            # 503 asks the client to try again, which could make the change twice.
            return problem(HTTPStatus.GATEWAY_TIMEOUT, MONGO_DETAILS[HTTPStatus.GATEWAY_TIMEOUT] + UNKNOWN_OUTCOME)
        return problem(status, mongo_detail(error))

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, __: Exception) -> Response:
        # Starlette raises the error again after this, and the access log writes it.
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_DETAIL)
