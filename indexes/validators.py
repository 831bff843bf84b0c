"""The validator of each collection: a strict `$jsonSchema` made from its document."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from beanie import Document
from bson import Int64

from documents import DOCUMENTS

Schema = dict[str, Any]

# Increased with every change of a stored shape, so that an older version of modeldeck never restores its own.
SHAPE = 7

LEVEL, ACTION = "strict", "error"
RULE = "$jsonSchema"

_FORMATS = {"date-time": "date", "binary": "binData"}
_BSON_TYPES = {"integer": "long", "boolean": "bool", "string": "string", "object": "object", "array": "array"}
# Rules of JSON Schema draft 4, which the server supports, that our documents use.
_BOUNDS = ("minLength", "maxLength", "minItems", "maxItems", "uniqueItems")
_SUPPORTED = {
    "type",
    "format",
    "anyOf",
    "enum",
    "pattern",
    "items",
    "properties",
    "required",
    "additionalProperties",
} | {
    *_BOUNDS,
    *("minimum", "exclusiveMaximum", "default", "title", "description", "examples"),
}
_LONG = range(-(2**63), 2**63)
_MADE_BY = re.compile(r"Made by modeldeck from its documents: ([0-9a-f]{16})")
_TITLE = re.compile(r"modeldeck (\w+) shape ([0-9]+)")


def bson_schema(document: type[Document]) -> Schema:
    """Return the server's `$jsonSchema` of a stored document.

    Fields without a default are required. A field with a default may be absent, because records of an earlier
    version may lack it. Raises TypeError for a type or a rule that has no translation here yet.
    """
    described = document.model_json_schema()
    return _translated(described, described.get("$defs", {}))


def _translated(described: Mapping[str, Any], named: Mapping[str, Schema]) -> Schema:
    if "$ref" in described:
        return _translated(named[described["$ref"].rpartition("/")[2]], named)
    if unknown := described.keys() - _SUPPORTED - {"$defs"}:
        raise TypeError(f"no validator rule for {', '.join(sorted(unknown))}: {described}")
    if "anyOf" in described:
        return _or_null(described["anyOf"], named)
    schema: Schema = {"bsonType": _bson_type(described)}
    schema |= {rule: described[rule] for rule in ("enum", *_BOUNDS) if rule in described}
    if "pattern" in described:
        # In the server's regular expressions `$` also matches before a final line break.
        schema["pattern"] = re.sub(r"\$\Z", r"\\z", described["pattern"])
    if "minimum" in described:
        schema["minimum"] = Int64(described["minimum"])
    if described.get("exclusiveMaximum", _LONG.stop) != _LONG.stop:
        schema |= {"maximum": Int64(described["exclusiveMaximum"]), "exclusiveMaximum": True}
    if "items" in described:
        schema["items"] = _translated(described["items"], named)
    if "properties" in described:
        schema["required"] = list(described["required"])
        schema["properties"] = {name: _translated(part, named) for name, part in described["properties"].items()}
        schema["additionalProperties"] = False
    elif isinstance(values := described.get("additionalProperties"), Mapping):
        schema["additionalProperties"] = _translated(values, named)
    return schema


def _bson_type(described: Mapping[str, Any]) -> str:
    kind, form = described.get("type"), described.get("format")
    if kind == "string" and form is not None:
        if form not in _FORMATS:
            raise TypeError(f"no BSON type for {form}: {described}")
        return _FORMATS[form]
    if kind not in _BSON_TYPES:
        raise TypeError(f"no BSON type for {kind}: {described}")
    return _BSON_TYPES[kind]


def _or_null(alternatives: Sequence[Mapping[str, Any]], named: Mapping[str, Schema]) -> Schema:
    one, *others = (alternative for alternative in alternatives if alternative.get("type") != "null")
    schema = _translated(one, named)
    if others or len(alternatives) != 2 or "enum" in schema:
        raise TypeError(f"only a single type or null is supported: {alternatives}")
    return {**schema, "bsonType": [schema["bsonType"], "null"]}


def fingerprint(schema: Mapping[str, Any]) -> str:
    """Return a hash of a schema without its `description`, which holds this hash."""
    hashed = {name: value for name, value in schema.items() if name != "description"}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:16]


def make_validator(collection: str, document: type[Document]) -> Schema:
    """Return the validator of a document's collection, with the number of its shape and a mark that we made it."""
    schema = {"title": f"modeldeck {collection} shape {SHAPE}", **bson_schema(document)}
    return {RULE: {**schema, "description": f"Made by modeldeck from its documents: {fingerprint(schema)}"}}


VALIDATORS: Mapping[str, Schema] = {
    document.Settings.name: make_validator(document.Settings.name, document) for document in DOCUMENTS
}


def shape_of(validator: Mapping[str, Any]) -> int | None:
    """Return the shape number of a validator; None unless modeldeck made it and it was not changed since."""
    schema = validator.get(RULE)
    if validator.keys() != {RULE} or not isinstance(schema, Mapping):
        return None
    made, title = _MADE_BY.fullmatch(str(schema.get("description"))), _TITLE.fullmatch(str(schema.get("title")))
    return int(title[2]) if made and title and made[1] == fingerprint(schema) else None


def replaceable(options: Mapping[str, Any]) -> bool:
    """Return whether a collection with these options has no validator, or one by this or an earlier version of ours."""
    found = options.get("validator") or {}
    shape = shape_of(found)
    return not found or (shape is not None and shape <= SHAPE)
