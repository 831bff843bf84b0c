"""What the failures of the driver and of the server behind it mean, for clients and for commands."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pymongo import errors as mongo

from service.errors import ModeldeckError

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
    if isinstance(error, mongo.ServerSelectionTimeoutError) or _is_starting(error):
        return HTTPStatus.SERVICE_UNAVAILABLE
    if error.timeout or code in _TIMEOUT_CODES:
        return HTTPStatus.GATEWAY_TIMEOUT
    transient = error.has_error_label("TransientTransactionError")
    if transient or isinstance(error, mongo.ConnectionFailure) or code in _UNAVAILABLE_CODES:
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _is_starting(error: mongo.PyMongoError) -> bool:
    # A member that is not in its replica set yet says nothing of sessions, which the driver takes for a server without.
    return isinstance(error, mongo.ConfigurationError) and "Sessions are not supported" in str(error)


MONGO_DETAILS = {
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
    return MONGO_DETAILS.get(mongo_status(error), INTERNAL_DETAIL)


def explain_failure(error: Exception) -> str | None:
    """Return one line for the user of a command, or None for a failure that is our own fault."""
    if isinstance(error, ModeldeckError):
        return error.detail
    if isinstance(error, mongo.ConfigurationError) and not _is_starting(error):
        return f"MODELDECK_MONGODB_URI: {error}"
    if isinstance(error, mongo.PyMongoError):
        known = mongo_status(error) != HTTPStatus.INTERNAL_SERVER_ERROR
        return mongo_detail(error) if known else f"The database refused: {type(error).__name__}: {error}"
    return None
