"""Models of what clients send: unknown fields are refused, and only a bounded number of errors is collected."""

from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

from service.errors import MAX_ERRORS

# More than any model has. Each unknown field is an error, which takes a hundred times the memory of the field.
MAX_FIELDS = 100
# Values of a query parameter that is repeatable.
MAX_REPEATED = 1000

M = TypeVar("M", bound=BaseModel)


def require_few_fields(value: Any, model: type[BaseModel]) -> None:
    """Raise ValueError for an object with many more fields than `model` has."""
    if isinstance(value, dict) and len(value) > MAX_FIELDS:
        raise ValueError(f"has {len(value):,} fields; there are only {', '.join(sorted(model.model_fields))}")


class QueryModel(BaseModel):
    """The query parameters of a route; others are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StrictModel(BaseModel):
    """An object that is refused when it has other fields than these."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, values: Any) -> Any:
        require_few_fields(values, cls)
        return values


def list_of(model: type[BaseModel], max_length: int | None = None) -> BeforeValidator:
    """Return a validator for a list of `model` that stops as soon as it has found enough errors."""

    def validated(values: Any) -> Any:
        if not isinstance(values, list):
            return values
        if max_length is not None and len(values) > max_length:
            # The field's own `max_length` is checked only after `max_length` elements have been validated.
            raise PydanticKnownError(
                "too_long", {"field_type": "List", "max_length": max_length, "actual_length": len(values)}
            )
        return _validate_all(model, values)

    return BeforeValidator(validated)


def _validate_all(model: type[M], values: list[Any]) -> list[M]:
    valid: list[M] = []
    errors: list[InitErrorDetails] = []
    for index, value in enumerate(values):
        try:
            valid.append(model.model_validate(value))
        except ValidationError as error:
            errors += _located(index, error)
            if len(errors) > MAX_ERRORS:
                break
    if errors:
        raise ValidationError.from_exception_data(model.__name__, errors)
    return valid


def _located(index: int, error: ValidationError) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=PydanticCustomError(details["type"], details["msg"], _allowed(details.get("ctx", {}))),
            loc=(index, *details["loc"]),
            # The input may be secret.
            input=None,
        )
        for details in error.errors(include_input=False, include_url=False)
    ]


def _allowed(context: dict[str, Any]) -> dict[str, Any] | None:
    return {"expected": context["expected"]} if "expected" in context else None
