"""Translates errors of the driver and the server into HTTP statuses, and into lines for users of commands."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pymongo import errors as mongo

from service.errors import ModeldeckError

# Any error of the driver or of the server.
DatabaseError = mongo.PyMongoError

# https://www.mongodb.com/docs/manual/reference/error-codes/: codes of errors that pass by themselves.
_UNAVAILABLE_CODES = {6, 7, 89, 91, 112, 189, 9001, 10058, 10107, 11600, 11602, 13435, 13436}
_TIMEOUT_CODES = {24, 50, 64, 262}
_DUPLICATE_KEY_CODE = 11000
_MALFORMED_CODE = 121
_UNAUTHORIZED_CODE = 13


def mongo_status(error: mongo.PyMongoError) -> HTTPStatus:
    """Return the HTTP status that describes a driver error to a client."""
    code = error.code if isinstance(error, mongo.OperationFailure) else None
    if isinstance(error, mongo.DuplicateKeyError) or code == _DUPLICATE_KEY_CODE or refused_fields(error) is not None:
        return HTTPStatus.CONFLICT
    if isinstance(error, mongo.DocumentTooLarge):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(error, mongo.ServerSelectionTimeoutError) or lacks_sessions(error):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if error.timeout or code in _TIMEOUT_CODES:
        return HTTPStatus.GATEWAY_TIMEOUT
    transient = error.has_error_label("TransientTransactionError")
    if transient or isinstance(error, mongo.ConnectionFailure) or code in _UNAVAILABLE_CODES:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def lacks_sessions(error: mongo.PyMongoError) -> bool:
    """Return whether the driver takes the server of a connection for one without sessions.

    So it does for good if the server was starting when they connected: neither primary nor secondary.
    """
    return isinstance(error, mongo.ConfigurationError) and "Sessions are not supported" in str(error)


MONGO_DETAILS = {
    HTTPStatus.CONFLICT: "This id or email is taken.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The record is too large.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database can't be reached at the moment; try again.",
    HTTPStatus.GATEWAY_TIMEOUT: "The database did not answer in time.",
}
# A record that the service writes is refused only when it was written past the service before, or by a validator
# that is not as declared.
MALFORMED_DETAIL = (
    "The database refused a record that breaks the declared schema: it was written past the service, or the "
    "validator is not as declared. Run: modeldeck doctor; modeldeck indexes check"
)
INTERNAL_DETAIL = "The service failed because of a defect of its own, which has been logged."


def lacks_privilege(error: mongo.PyMongoError) -> bool:
    """Return whether the database user lacks a privilege."""
    return isinstance(error, mongo.OperationFailure) and error.code == _UNAUTHORIZED_CODE


def refused_fields(error: mongo.PyMongoError) -> list[str] | None:
    """Return the names of the fields for which a validator refused a record; None when no validator refused it."""
    details = (error.details or {}) if isinstance(error, mongo.OperationFailure) else {}
    for failure in (details, *details.get("writeErrors", ())):
        if failure.get("code") == _MALFORMED_CODE:
            rules = failure.get("errInfo", {}).get("details", {}).get("schemaRulesNotSatisfied", [])
            return sorted({name for rule in rules for name in _names_in(rule)})
    return None


def _names_in(rule: Mapping[str, Any]) -> list[str]:
    properties = [part.get("propertyName", "") for part in rule.get("propertiesNotSatisfied", ())]
    return [*properties, *rule.get("missingProperties", ()), *rule.get("additionalProperties", ())]


def mongo_detail(error: mongo.PyMongoError) -> str:
    """Return a sentence about a driver error that quotes neither data nor queries."""
    if refused_fields(error) is not None:
        return MALFORMED_DETAIL
    return MONGO_DETAILS.get(mongo_status(error), INTERNAL_DETAIL)


def explain_failure(error: Exception) -> str | None:
    """Return one line for the user of a command, or None for an error that is a defect of Modeldeck."""
    if isinstance(error, ModeldeckError):
        return error.detail
    if isinstance(error, mongo.ConfigurationError) and not lacks_sessions(error):
        return f"MODELDECK_MONGODB_URI: {error}"
    if isinstance(error, mongo.PyMongoError):
        has_detail = mongo_status(error) != HTTPStatus.INTERNAL_SERVER_ERROR
        return mongo_detail(error) if has_detail else f"The database refused: {type(error).__name__}: {error}"
    return None
