"""Every error carries its status and is rendered in one place, as application/problem+json."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from pymongo import errors as mongo
from starlette.exceptions import HTTPException

from service.json_schema import reference

log = logging.getLogger("modeldeck")

# What any route that asks the database for a caller can answer.
COMMON_FAILURES = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
# What any route that reads a body can answer besides.
BODY_FAILURES = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    *COMMON_FAILURES,
)
PROBLEM_JSON = "application/problem+json"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
RETRY_AFTER_SECONDS = "2"
SHOWN_NAME_LENGTH = 100
# A body of many megabytes can be wrong in every place.
MAX_ERRORS, MAX_DETAILS = 100, 20


class ModeldeckError(Exception):
    """A failure that we can explain. `detail` is a sentence for the one who caused it."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigurationError(ModeldeckError):
    """The settings, the arguments or the machine do not allow what was asked."""


class UnauthorizedError(ModeldeckError):
    """No credential, or one that does not count (any more)."""

    status = HTTPStatus.UNAUTHORIZED
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    def __init__(self) -> None:
        super().__init__("A valid API key or token is required: Authorization: Bearer <key>.")


class ForbiddenError(ModeldeckError):
    """Refused to a caller who may know that the thing exists."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(ModeldeckError):
    """Absent, or hidden from the caller: the same answer."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(ModeldeckError):
    """What was asked for is taken."""

    status = HTTPStatus.CONFLICT


class StaleVersionError(ModeldeckError):
    """The caller insists on a version that is not the current one."""

    status = HTTPStatus.PRECONDITION_FAILED

    def __init__(self, version: int) -> None:
        super().__init__(f"The current version is {version}.")
        self.headers = {"ETag": f'"{version}"'}


class BusyError(ModeldeckError):
    """Too many want the same at the moment; nothing was done."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("Too many changes of this kind are waiting; nothing was done, try again later.")


class SlowRequestError(ModeldeckError):
    """A request whose body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT


class OverdueError(ModeldeckError):
    """What was asked for takes longer than it may."""

    status = HTTPStatus.GATEWAY_TIMEOUT


class TooLargeError(ModeldeckError):
    """A record or a body beyond its limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class InvalidInputError(ModeldeckError):
    """Input that names the field and what is allowed: `errors` holds `{loc, msg, allowed?}`."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, errors: Sequence[Mapping[str, Any]], total: int | None = None) -> None:
        """Tell of some errors; `total` is how many there are in all, when not all of them are given."""
        self.total = max(total or 0, len(errors))
        self.errors = [dict(error) for error in errors[:MAX_ERRORS]]
        said = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in self.errors[:MAX_DETAILS]]
        more = [f"and {self.total - len(said):,} more"] if self.total > len(said) else []
        super().__init__("; ".join(said + more))


# Any failure of the driver or of the server behind it.
DatabaseError = mongo.PyMongoError

# https://www.mongodb.com/docs/manual/reference/error-codes/: codes with which the server says "not now".
_UNAVAILABLE_CODES = {6, 7, 89, 91, 112, 189, 9001, 10058, 10107, 11600, 11602, 13435, 13436}
_TIMEOUT_CODES = {24, 50, 64, 262}
_DUPLICATE_KEY_CODE = 11000
_MALFORMED_CODE = 121
_UNAUTHORIZED_CODE = 13


def mongo_status(error: mongo.PyMongoError) -> HTTPStatus:
    """Return the status that tells a client best what a driver error means for them."""
    code = error.code if isinstance(error, mongo.OperationFailure) else None
    if isinstance(error, mongo.DuplicateKeyError) or code == _DUPLICATE_KEY_CODE or refused_fields(error) is not None:
        return HTTPStatus.CONFLICT
    if isinstance(error, mongo.DocumentTooLarge):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(error, mongo.ServerSelectionTimeoutError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if error.timeout or code in _TIMEOUT_CODES:
        return HTTPStatus.GATEWAY_TIMEOUT
    transient = error.has_error_label("TransientTransactionError")
    if transient or isinstance(error, mongo.ConnectionFailure) or code in _UNAVAILABLE_CODES:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


_MONGO_DETAILS = {
    HTTPStatus.CONFLICT: "This id or email is taken.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The record is too large.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database can't be reached at the moment; try again.",
    HTTPStatus.GATEWAY_TIMEOUT: "The database did not answer in time.",
}
# A record of ours is refused only for what others have made of it, or by a validator that is not ours.
MALFORMED_DETAIL = (
    "The database refused a record that would not have the declared shape: it was written past the service, or the "
    "validator is not as declared. Run: modeldeck doctor; modeldeck indexes check"
)
INTERNAL_DETAIL = "The service failed; the fault is ours and has been logged."


def lacks_a_right(error: mongo.PyMongoError) -> bool:
    """Say whether the database user may not do what was asked."""
    return isinstance(error, mongo.OperationFailure) and error.code == _UNAUTHORIZED_CODE


def refused_fields(error: mongo.PyMongoError) -> list[str] | None:
    """Return the names of the fields for which a validator refused a record; None when none did."""
    details = (error.details or {}) if isinstance(error, mongo.OperationFailure) else {}
    for failure in (details, *details.get("writeErrors", ())):
        if failure.get("code") == _MALFORMED_CODE:
            rules = failure.get("errInfo", {}).get("details", {}).get("schemaRulesNotSatisfied", [])
            return sorted({name for rule in rules for name in _named_by(rule)})
    return None


def _named_by(rule: Mapping[str, Any]) -> list[str]:
    properties = [part.get("propertyName", "") for part in rule.get("propertiesNotSatisfied", ())]
    return [*properties, *rule.get("missingProperties", ()), *rule.get("additionalProperties", ())]


def mongo_detail(error: mongo.PyMongoError) -> str:
    """Return a sentence about a driver error that tells nothing of the data or the query."""
    if refused_fields(error) is not None:
        return MALFORMED_DETAIL
    return _MONGO_DETAILS.get(mongo_status(error), INTERNAL_DETAIL)


def explain_failure(error: Exception) -> str | None:
    """Return one line for the user of a command, or None for a failure that is our own fault."""
    if isinstance(error, ModeldeckError):
        return error.detail
    if isinstance(error, mongo.ConfigurationError):
        return f"MODELDECK_MONGODB_URI: {error}"
    if isinstance(error, mongo.PyMongoError):
        known = mongo_status(error) != HTTPStatus.INTERNAL_SERVER_ERROR
        return mongo_detail(error) if known else f"The database refused: {type(error).__name__}: {error}"
    return None


class FaultShape(BaseModel):
    """What is wrong with one part of a request."""

    loc: list[str | int] = Field(description="Where it is.", examples=[["query", "page_size"]])
    msg: str = Field(description="What is wrong.", examples=["Input should be less than or equal to 100"])
    allowed: list[str] = Field(default_factory=list, description="What is allowed, where that is only a few things.")


# Documents the answers that `problem` renders.
class ProblemShape(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field("about:blank")
    title: str
    status: int
    detail: str = Field(description="A sentence for whoever reads it.")
    errors: list[FaultShape] = Field(default_factory=list, description="With 422: each fault.")


_FAULT = {"loc": ["query", "page_size"], "msg": "Input should be less than or equal to 100"}
# When it happens, and what is said then.
_DOCUMENTED = {
    HTTPStatus.UNAUTHORIZED: ("No credential, or one that does not count (any more).", UnauthorizedError().detail),
    HTTPStatus.FORBIDDEN: (
        "The key is for reading only, or the caller may not do this.",
        "This key is for reading only.",
    ),
    HTTPStatus.NOT_FOUND: (
        "Absent, or hidden from the caller.",
        "There is no such model, or it is not shared with you.",
    ),
    HTTPStatus.REQUEST_TIMEOUT: ("The body took too long.", "The body did not arrive within 60 seconds."),
    HTTPStatus.CONFLICT: (
        "What was asked for is taken, others were faster, or the caller's rights have changed meanwhile.",
        _MONGO_DETAILS[HTTPStatus.CONFLICT],
    ),
    HTTPStatus.PRECONDITION_FAILED: ("`If-Match` is not the current version.", StaleVersionError(3).detail),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("The body or a record is too large.", "The body exceeds 1,000,000 bytes."),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("Something of the request is not allowed.", InvalidInputError([_FAULT]).detail),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "The service can't answer at the moment.",
        _MONGO_DETAILS[HTTPStatus.SERVICE_UNAVAILABLE],
    ),
    HTTPStatus.GATEWAY_TIMEOUT: ("Too slow.", _MONGO_DETAILS[HTTPStatus.GATEWAY_TIMEOUT]),
}
_DOCUMENTED_HEADERS = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate", "How to ask instead.", "Bearer"),
    HTTPStatus.PRECONDITION_FAILED: ("ETag", "The current version, in quotes.", '"3"'),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After", "Seconds after which to try again.", RETRY_AFTER_SECONDS),
}


def documented_problems(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a route that can fail with these statuses."""
    return {int(status): _documented_problem(status) for status in statuses}


def documented_header(name: str, description: str, example: str) -> dict[str, Any]:
    """Return an OpenAPI response header."""
    return {name: {"description": description, "schema": {"type": "string"}, "example": example}}


def _documented_problem(status: HTTPStatus) -> dict[str, Any]:
    description, detail = _DOCUMENTED[status]
    example = _body(status, detail, [_FAULT] if status == HTTPStatus.UNPROCESSABLE_ENTITY else None)
    schema = reference(ProblemShape.__name__)
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
    """Render one error (RFC 9457)."""
    extra = dict(headers or {})
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra.setdefault("Retry-After", RETRY_AFTER_SECONDS)
    return Response(orjson.dumps(_body(status, detail, errors)), status, extra, media_type=PROBLEM_JSON)


def _body(status: int, detail: str, errors: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    return body if errors is None else {**body, "errors": errors}


def validation_errors(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return Pydantic's errors as `{loc, msg, allowed?}`, without the input, which may hold secrets."""
    rendered = []
    for error in errors:
        item: dict[str, Any] = {"loc": list(error["loc"]), "msg": str(error["msg"]).removeprefix("Value error, ")}
        expected = error.get("ctx", {}).get("expected")
        if isinstance(expected, str):
            item["allowed"] = expected.replace("'", "").replace(" or ", ", ").split(", ")
        rendered.append(item)
    return rendered


def invalid_input(error: ValidationError, *where: str) -> InvalidInputError:
    """Return Pydantic's findings as our error; `where` comes before each location, such as `body`."""
    # Rendering takes its time; how many there are in all is told all the same.
    found = error.errors(include_input=False, include_url=False)
    rendered = validation_errors(found[:MAX_ERRORS])
    located = [{**item, "loc": [*where, *map(_shortened, item["loc"])]} for item in rendered]
    return InvalidInputError(located, len(found))


def _shortened(part: Any) -> Any:
    # Names of fields are the client's own, of any length.
    return part[:SHOWN_NAME_LENGTH] if isinstance(part, str) else part


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of `app` an application/problem+json answer."""

    @app.exception_handler(ModeldeckError)
    async def _known(_: Request, error: ModeldeckError) -> Response:
        errors = error.errors if isinstance(error, InvalidInputError) else None
        return problem(error.status, error.detail, error.headers, errors)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        rendered = validation_errors(error.errors())
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, InvalidInputError(rendered).detail, errors=rendered)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(mongo.PyMongoError)
    async def _mongo(request: Request, error: mongo.PyMongoError) -> Response:
        status = mongo_status(error)
        # The message of a driver error can quote the query or a document, so only its kind is logged.
        log.error("database error %s code=%s -> %d", type(error).__name__, getattr(error, "code", None), status)
        if fields := refused_fields(error):
            log.error("the validator refused a record for: %s", ", ".join(fields))
        detail = mongo_detail(error)
        if status == HTTPStatus.GATEWAY_TIMEOUT and request.method not in SAFE_METHODS:
            detail += " Whether the change was made is not known."
        return problem(status, detail)

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, error: Exception) -> Response:
        log.error("unforeseen error", exc_info=error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_DETAIL)
