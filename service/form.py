"""What all forms have in common: unknown fields are refused, and a flood of mistakes is not told one by one."""

from typing import Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from service.errors import MAX_ERRORS

# More than any form has. Each unknown one is a mistake, and a mistake takes a hundred times the memory of its cause.
MAX_FIELDS = 100

F = TypeVar("F", bound=BaseModel)


class Form(BaseModel):
    """An object with known fields, and no others."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few(cls, values: Any) -> Any:
        if isinstance(values, dict) and len(values) > MAX_FIELDS:
            raise ValueError(f"has {len(values):,} fields; there are only {', '.join(sorted(cls.model_fields))}")
        return values


def each(form: type[BaseModel], most: int | None = None) -> BeforeValidator:
    """Return a validator for a list of forms that looks no further once it has found enough mistakes to tell.

    It leaves a list of more than `most` elements as it is, for the list's own `max_length` to refuse.
    """

    def checked(values: Any) -> Any:
        return values if not isinstance(values, list) or len(values) > (most or len(values)) else _checked(form, values)

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
