"""JSON schemas for the OpenAPI document: what Pydantic can't express itself, and examples."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field

Schema = dict[str, Any]

_COMPONENTS = "#/components/schemas/"
REFERENCE_TEMPLATE = _COMPONENTS + "{model}"
_NULL = {"type": "null"}


def reference(name: str) -> Schema:
    """Return a schema that refers to a component of the OpenAPI document."""
    return {"$ref": _COMPONENTS + name}


def referred(schema: Schema, components: Mapping[str, Schema]) -> Schema:
    """Return the component to which a schema refers."""
    return components[schema["$ref"].removeprefix(_COMPONENTS)]


def without_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be left out but not be null."""
    rest = {name: value for name, value in schema.items() if (name, value) != ("default", None)}
    alternatives = [one for one in rest.pop("anyOf", ()) if one != _NULL]
    if len(alternatives) == 1:
        return {**alternatives[0], **rest}
    return {**({"anyOf": alternatives} if alternatives else {}), **rest}


def without_null_defaults(schema: Any) -> Any:
    """Return a schema without the defaults that are null, at any depth; `required` implies them."""
    if isinstance(schema, dict):
        kept = {name: value for name, value in schema.items() if (name, value) != ("default", None)}
        return {name: without_null_defaults(value) for name, value in kept.items()}
    return [without_null_defaults(part) for part in schema] if isinstance(schema, list) else schema


def _drop_null(schema: Schema) -> None:
    wanted = without_null(schema)
    schema.clear()
    schema.update(wanted)


# For a field that may be left out, which is None then, but not be null.
NEVER_NULL: Any = Field(json_schema_extra=_drop_null)


def or_null(schema: Schema) -> None:
    """Add to a field's schema that null is accepted too and means nothing."""
    kept = {name: schema.pop(name) for name in ("title", "description", "default", "examples") if name in schema}
    alternatives = [dict(schema), _NULL]
    schema.clear()
    schema.update(anyOf=alternatives, **kept)


def echoing(*names: str, example: Schema) -> Callable[[Schema], None]:
    """Return a function that adds to a schema an example, and fields that clients may send back without effect."""

    def add(schema: Schema) -> None:
        schema["properties"].update({name: {"description": "May be sent back; has no effect."} for name in names})
        schema["examples"] = [example]

    return add


def example(schema: Schema, components: Mapping[str, Schema]) -> Any:
    """Return an example for a schema, composed from the examples of its parts; raise LookupError when one lacks any."""
    own = [*schema.get("examples", ()), *schema.get("enum", ())]
    own += [schema[keyword] for keyword in ("const", "default") if schema.get(keyword) is not None]
    if own:
        return own[0]
    if "$ref" in schema:
        return example(referred(schema, components), components)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], components)
    if "properties" in schema:
        return {name: example(part, components) for name, part in schema["properties"].items()}
    if schema.get("type") == "array":
        return [example(schema["items"], components)]
    if schema.get("type") == "boolean":
        return True
    raise LookupError(f"no example of {schema}")
