"""The fields of a document, with their BSON types."""

import types
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from indexes.views.view import Column

# Integers are always stored with 64 bits.
_SCALARS: dict[Any, str] = {
    str: "string",
    bool: "bool",
    bytes: "binData",
    int: "long",
    datetime: "date",
    Any: "any",
    types.NoneType: "null",
}
# Declared by Beanie and not used here.
_UNUSED = {"revision_id"}


def fields(document: type[BaseModel], within: str = "") -> Iterator[Column]:
    """Yield all fields of a document, nested fields directly after the field that contains them."""
    for name, field in document.model_fields.items():
        if name in _UNUSED:
            continue
        stored = within + ("_id" if name == "id" and not within else name)
        example = next(iter(field.examples or ()), None)
        yield Column(stored, bson_type(field.annotation), _meaning(stored, field), example)
        if (inner := _element(field.annotation)) is not None:
            yield from fields(inner, f"{stored}.")


def bson_type(annotation: Any) -> str:
    """Return the name of the BSON type in which values of this annotation are stored."""
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return bson_type(arguments[0])
    if origin in {Union, types.UnionType}:
        return " or ".join(bson_type(argument) for argument in arguments)
    if origin is list:
        return f"array of {bson_type(arguments[0])}"
    if origin is dict or _is(annotation, BaseModel):
        return "object"
    if _is(annotation, str):
        return "string"
    raise TypeError(f"no BSON type is known for {annotation}")


def _is(annotation: Any, kind: type) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, kind)


def _element(annotation: Any) -> type[BaseModel] | None:
    # A list has one argument; of an alternative, the others are null.
    parts = get_args(annotation) or (annotation,)
    return next((part for part in parts if _is(part, BaseModel)), None)


def _meaning(name: str, field: FieldInfo) -> str:
    if field.description is None:
        raise ValueError(f"the field {name} has no description")
    values = [f"`{value}`" for value in field.annotation] if _is(field.annotation, Enum) else []  # type: ignore[union-attr]
    return f"{field.description} One of {', '.join(values)}." if values else field.description
