"""Errors as responses: what each exception is answered with."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
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
from service.errors import InvalidInputError, ModeldeckError, validation_errors
from service.http.problems import PROBLEM_JSON, RETRY_AFTER_SECONDS, problem_body
from service.http.query_params import query_fields, unknown_parameter

log = logging.getLogger("modeldeck")

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
UNKNOWN_OUTCOME = " Whether the change was made is not known."
_NOT_NOW = {HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


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
    return Response(orjson.dumps(problem_body(status, detail, errors)), status, extra, media_type=PROBLEM_JSON)


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


def _methods_at(request: Request) -> list[str]:
    """Return the methods of all routes at an address; the router has named only those of the first."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    routes = iter_route_contexts(request.app.routes)
    return sorted({method for route in routes if route.path == path for method in route.methods or ()})


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
    async def _http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if methods := _methods_at(request) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else None:
            headers["Allow"] = ", ".join(methods)
        return problem(error.status_code, str(error.detail), headers)

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
