"""What all forms have in common: unknown fields are refused, and a flood of mistakes is not told one by one."""

from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

from service.errors import MAX_ERRORS

# More than any form has. Each unknown one is a mistake, and a mistake takes a hundred times the memory of its cause.
MAX_FIELDS = 100

F = TypeVar("F", bound=BaseModel)


def require_few(value: Any, form: type[BaseModel]) -> None:
    """Raise ValueError for an object with many more fields than `form` has."""
    if isinstance(value, dict) and len(value) > MAX_FIELDS:
        raise ValueError(f"has {len(value):,} fields; there are only {', '.join(sorted(form.model_fields))}")


class Form(BaseModel):
    """An object with known fields, and no others."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few(cls, values: Any) -> Any:
        require_few(values, cls)
        return values


def each(form: type[BaseModel], most: int | None = None) -> BeforeValidator:
    """Return a validator for a list of at most so many forms that looks no further once it has enough to tell."""

    def checked(values: Any) -> Any:
        if not isinstance(values, list):
            return values
        if most is not None and len(values) > most:
            # The list's own `max_length` would look at as many elements first.
            raise PydanticKnownError(
                "too_long", {"field_type": "List", "max_length": most, "actual_length": len(values)}
            )
        return _checked(form, values)

    return BeforeValidator(checked)


def _checked(form: type[F], values: list[Any]) -> list[F]:
    valid: list[F] = []
    mistakes: list[InitErrorDetails] = []
    for at, value in enumerate(values):
        try:
            valid.append(form.model_validate(value))
        except ValidationError as error:
            mistakes += _located(at, error)
            if len(mistakes) > MAX_ERRORS:
                break
    if mistakes:
        raise ValidationError.from_exception_data(form.__name__, mistakes)
    return valid


def _located(at: int, error: ValidationError) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=PydanticCustomError(mistake["type"], mistake["msg"], _allowed(mistake.get("ctx", {}))),
            loc=(at, *mistake["loc"]),
            # What was sent may be secret.
            input=None,
        )
        for mistake in error.errors(include_input=False, include_url=False)
    ]


def _allowed(context: dict[str, Any]) -> dict[str, Any] | None:
    return {"expected": context["expected"]} if "expected" in context else None
