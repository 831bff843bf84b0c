"""`python -m tests.support.client_types` writes the types of the Python client, from the OpenAPI document."""

import keyword
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from tests.support.documentation import ROOT
from tests.support.openapi_document import DOCUMENT, SCHEMAS

TYPES = ROOT / "client/src/modeldeck_client/types.py"
# The client names these; what they refer to comes with them.
_NAMED = (
    "Fault",
    "Me",
    "ModelPage",
    "Model",
    "CreateModel",
    "PatchModel",
    "AccessExplanation",
    "ReaderPage",
    "RevisionPage",
    "BulkStateChange",
    "BulkAccessChange",
    "BulkChangeResults",
)
_HEAD = '''"""What the API takes and answers with: generated from its OpenAPI document by `make docs`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict

'''
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
# The parameters of a page, and not of a walk through all of a list.
_OF_PAGES = {"page", "page_size", "cursor", "facets", "total", "fields"}
# Parameters whose type in an address says less than what Python can take.
_TAKEN = {
    "created_since": "datetime | float | str",
    "updated_since": "datetime | float | str",
    "fields": "str | Sequence[str]",
    "facets": "str | Sequence[str]",
}


def client_types() -> str:
    """Return the source of the module."""
    written = _HEAD + "\n\n".join([*map(_definition, _in_order(_NAMED)), *_parameters()])
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TYPES), "-"]
    done = subprocess.run(command, input=written, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def _in_order(names: Iterable[str]) -> list[str]:
    """Return the names of schemas and of those that they refer to, each after those that it refers to."""
    found: dict[str, None] = {}
    for name in names:
        found |= dict.fromkeys([*_in_order(_references(SCHEMAS[name])), name])
    return list(found)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield _name(schema)
        for part in schema.values():
            yield from _references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _references(part)


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _definition(name: str) -> str:
    schema = SCHEMAS[name]
    if "properties" not in schema:
        return f"{name} = {_type(schema)}"
    required = schema.get("required", ())
    # What has no type is only taken so that an answer can be sent back.
    typed = {field: part for field, part in schema["properties"].items() if part.keys() - {"description"}}
    types = {field: _type(part) for field, part in typed.items()}
    fields = {field: kind if field in required else f"NotRequired[{kind}]" for field, kind in types.items()}
    if any(map(keyword.iskeyword, fields)):
        return f"{name} = TypedDict({name!r}, {{{', '.join(f'{field!r}: {kind}' for field, kind in fields.items())}}})"
    lines = [f"    {field}: {kind}" for field, kind in fields.items()]
    return "\n".join([f"class {name}(TypedDict):", f'    """{_summary(schema)}"""', "", *lines, ""])


def _summary(schema: dict[str, Any]) -> str:
    return str(schema["description"]).partition("\n")[0]


def _type(schema: dict[str, Any]) -> str:
    match schema:
        case {"$ref": _}:
            written = _name(schema)
        case {"anyOf": parts}:
            written = " | ".join(map(_type, parts))
        case {"enum": values}:
            written = f"Literal[{', '.join(map(repr, values))}]"
        case {"const": value}:
            written = f"Literal[{value!r}]"
        case {"type": "array", "items": items}:
            written = f"list[{_type(items)}]"
        case {"type": "object", "additionalProperties": dict() as values}:
            written = f"dict[{_type(schema.get('propertyNames', {'type': 'string'}))}, {_type(values)}]"
        case {"type": "object"}:
            written = "dict[str, Any]"
        case {"type": str() as plain}:
            written = _PLAIN[plain]
        case _:
            written = "Any"
    return written


def _parameters() -> Iterator[str]:
    parameters = DOCUMENT["paths"]["/api/models/list"]["get"]["parameters"]
    taken = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
    types = {name: _TAKEN.get(name) or _several(schema) for name, schema in taken.items()}
    filters = [name for name in types if name not in _OF_PAGES]
    yield _filters("Filters(TypedDict, total=False)", "Which models, in which order: docs/listing.md.", types, filters)
    yield _filters("FieldFilters(Filters)", "Which models, and which of their fields.", types, ["fields"], "")
    of_pages = [name for name in types if name in _OF_PAGES]
    yield _filters("PageFilters(Filters, total=False)", "Which page, what is shown, what is counted.", types, of_pages)


def _filters(head: str, summary: str, types: dict[str, str], names: list[str], absent: str = " | None") -> str:
    lines = [f"    {name}_: " if keyword.iskeyword(name) else f"    {name}: " for name in names]
    fields = [f"{line}{types[name]}{absent}" for line, name in zip(lines, names, strict=True)]
    return "\n".join([f"class {head}:", f'    """{summary}"""', "", *fields, ""])


def _several(schema: dict[str, Any]) -> str:
    if schema.get("type") == "array":
        one = _type(schema["items"])
        return f"{one} | Sequence[{one}]"
    return _type(schema)


if __name__ == "__main__":
    TYPES.write_text(client_types(), encoding="utf-8")
