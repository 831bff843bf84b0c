"""Driver errors become clear answers."""

import pytest
from pymongo import errors as mongo

from service.database.errors import explain_failure, mongo_detail, mongo_status
from service.errors import ConfigurationError, validation_errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (mongo.DuplicateKeyError("x", 11000), 409),
        (mongo.DocumentTooLarge("x"), 413),
        (mongo.ServerSelectionTimeoutError("x"), 503),
        (mongo.ConfigurationError("Sessions are not supported by this MongoDB deployment"), 503),
        (mongo.AutoReconnect("x"), 503),
        (mongo.NetworkTimeout("x"), 504),
        (mongo.ExecutionTimeout("x", 50), 504),
        (mongo.WTimeoutError("x", 64), 504),
        (mongo.OperationFailure("x", 11600), 503),
        (mongo.OperationFailure("x", 189), 503),
        (mongo.OperationFailure("x", 2), 500),
    ],
)
def test_the_status_tells_what_to_do(error: mongo.PyMongoError, status: int) -> None:
    assert mongo_status(error) == status


def test_the_detail_never_quotes_the_database() -> None:
    error = mongo.DuplicateKeyError('E11000 duplicate key ... dup key: { email: "ann@example.com" }', 11000)
    assert "ann" not in mongo_detail(error)


def test_validation_errors_do_not_repeat_the_input() -> None:
    errors = [
        {"loc": ("a",), "msg": "Value error, must be so", "input": "secret", "ctx": {"expected": "'x', 'y' or 'z'"}}
    ]
    assert validation_errors(errors) == [{"loc": ["a"], "msg": "must be so", "allowed": ["x", "y", "z"]}]


def test_commands_explain_failures_of_others_and_not_our_own() -> None:
    assert explain_failure(ConfigurationError("say so")) == "say so"
    assert "MODELDECK_MONGODB_URI" in (explain_failure(mongo.InvalidURI("bad")) or "")
    starting = mongo.ConfigurationError("Sessions are not supported by this MongoDB deployment")
    assert "try again" in (explain_failure(starting) or "")
    assert explain_failure(ZeroDivisionError()) is None
