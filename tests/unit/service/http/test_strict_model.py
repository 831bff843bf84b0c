"""Bodies that are invalid in very many places: validation stops after a limited number of errors."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from service.bulk.schemas import BulkAccessChange
from service.errors import MAX_ERRORS, invalid_input
from service.http import strict_model
from service.http.compatibility import compatible_body
from service.http.strict_model import MAX_FIELDS
from service.importing.records import ImportedModel
from service.importing.schemas import ImportModels
from service.models.schemas import CreateModel, UpdateAccess

FLOOD = 50_000
MODEL: dict[str, Any] = {"id": "m", "name": "M"}
GRANT = {"principal_type": "user", "principal_id": "ann", "permission": "read"}
# More errors than a single object can have.
OF_ONE = 20


def mistakes(kind: type[BaseModel], value: Any) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(value)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (CreateModel, {**MODEL, "access_grants": [{}] * FLOOD}),
        (CreateModel, {**MODEL, "access_grants": [1] * FLOOD}),
        (UpdateAccess, {"id": "m", "access_grants": [{}] * FLOOD}),
        (ImportedModel, {**MODEL, "access_grants": [{"id": "g"}] * FLOOD}),
        (BulkAccessChange, {"ids": ["m"], "add": [{}] * FLOOD}),
        (BulkAccessChange, {"ids": ["m"], "remove": [{}] * 1000}),
        (ImportModels, {"models": [1] * FLOOD}),
        (ImportedModel, {**MODEL, "access_grants": [{str(number): 1 for number in range(FLOOD)}]}),
        (ImportModels, {"models": [{}] * 10_000}),
        (ImportModels, compatible_body(ImportModels, {"models": [{"id": 1}] * 10_000})),
        (ImportModels, {"models": [{**MODEL, "access_grants": [{}] * 100}] * 1000}),
    ],
)
def test_a_list_is_validated_until_there_are_enough_errors(kind: type[BaseModel], value: Any) -> None:
    assert mistakes(kind, value).error_count() <= 2 * MAX_ERRORS + OF_ONE


def test_a_list_that_is_too_long_is_not_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    monkeypatch.setattr(strict_model, "_validate_all", lambda *_: looked_at.append(1))
    error = mistakes(ImportModels, {"models": [MODEL] * 10_001})
    assert error.error_count() == 1
    assert "at most 10000 items" in error.errors()[0]["msg"]
    assert looked_at == []


def test_an_object_with_too_many_fields_is_one_error() -> None:
    error = mistakes(CreateModel, {**MODEL, **{f"field {number}": 1 for number in range(FLOOD)}})
    assert error.error_count() == 1
    assert "50,002 fields; there are only access_grants, base_model_id, id" in error.errors()[0]["msg"]
    assert mistakes(CreateModel, {**MODEL, **{str(number): 1 for number in range(MAX_FIELDS - 2)}}).error_count() > 1


def test_errors_in_lists_have_their_position_and_the_allowed_values() -> None:
    wrong = {**GRANT, "permission": "{expected}", "{loc}": 1}
    error = invalid_input(
        mistakes(ImportModels, {"models": [MODEL, {**MODEL, "access_grants": [GRANT, wrong]}]}), "body"
    )
    where = ["body", "models", 1, "access_grants", 1]
    assert error.errors == [
        {
            "loc": [*where, "permission"],
            "msg": "Input should be 'read' or 'write'",
            "allowed": ["read", "write"],
        },
        {"loc": [*where, "{loc}"], "msg": "Extra inputs are not permitted"},
    ]


def test_what_is_right_is_kept_as_it_is() -> None:
    right = ImportModels.model_validate({"models": [{**MODEL, "access_grants": [GRANT]}]})
    assert right.models[0].content["access_grants"][0]["principal_id"] == "ann"
