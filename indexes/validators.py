"""What the database refuses to store: a strict `$jsonSchema` of each collection, made from its document."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from beanie import Document
from bson import Int64

from documents import DOCUMENTS
from indexes.drift import Drift, DriftKind

Schema = dict[str, Any]

# Goes up with every change of a stored shape, so that an older version of ours never puts its own back.
SHAPE = 1

LEVEL, ACTION = "strict", "error"
RULE = "$jsonSchema"

_BSON_TYPES = {"integer": "long", "boolean": "bool", "string": "string", "object": "object", "array": "array"}
# Of the draft that the server knows, what a document says of its fields.
_BOUNDS = ("minLength", "maxLength", "minItems", "maxItems", "uniqueItems")
_KNOWN = {"type", "format", "anyOf", "enum", "pattern", "items", "properties", "required", "additionalProperties"} | {
    *_BOUNDS,
    *("minimum", "exclusiveMaximum", "default", "title", "description", "examples"),
}
_LONG = range(-(2**63), 2**63)
_MADE_BY = re.compile(r"Made by modeldeck from its documents: ([0-9a-f]{16})")
_TITLE = re.compile(r"modeldeck (\w+) shape ([0-9]+)")


def bson_schema(document: type[Document]) -> Schema:
    """Return what a stored document looks like, in the terms of the server's `$jsonSchema`.

    Fields without a default are required. One that has a default can be absent: what an earlier version stored may
    lack it. Raises TypeError for a field of a type, or with a rule, that has no counterpart here yet.
    """
    described = document.model_json_schema()
    return _translated(described, described.get("$defs", {}))


def _translated(described: Mapping[str, Any], named: Mapping[str, Schema]) -> Schema:
    if "$ref" in described:
        return _translated(named[described["$ref"].rpartition("/")[2]], named)
    if unknown := described.keys() - _KNOWN - {"$defs"}:
        raise TypeError(f"no counterpart of {', '.join(sorted(unknown))} for a validator: {described}")
    if "anyOf" in described:
        return _or_null(described["anyOf"], named)
    schema: Schema = {"bsonType": _bson_type(described)}
    schema |= {rule: described[rule] for rule in ("enum", *_BOUNDS) if rule in described}
    if "pattern" in described:
        # For the server's regular expressions `$` matches before a line's end too.
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
    return schema


def _bson_type(described: Mapping[str, Any]) -> str:
    kind, form = described.get("type"), described.get("format")
    if kind == "string" and form is not None:
        if form != "date-time":
            raise TypeError(f"no BSON type for {form}: {described}")
        return "date"
    if kind not in _BSON_TYPES:
        raise TypeError(f"no BSON type for {kind}: {described}")
    return _BSON_TYPES[kind]


def _or_null(alternatives: Sequence[Mapping[str, Any]], named: Mapping[str, Schema]) -> Schema:
    one, *others = (alternative for alternative in alternatives if alternative.get("type") != "null")
    schema = _translated(one, named)
    if others or len(alternatives) != 2 or "enum" in schema:
        raise TypeError(f"only one type and null can be told apart: {alternatives}")
    return {**schema, "bsonType": [schema["bsonType"], "null"]}


def fingerprint(schema: Mapping[str, Any]) -> str:
    """Return what tells a schema from every other; its `description`, which holds this, does not count."""
    told = {name: value for name, value in schema.items() if name != "description"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def validator(collection: str, document: type[Document]) -> Schema:
    """Return the validator of a document's collection, marked as ours and with the number of its shape."""
    schema = {"title": f"modeldeck {collection} shape {SHAPE}", **bson_schema(document)}
    return {RULE: {**schema, "description": f"Made by modeldeck from its documents: {fingerprint(schema)}"}}


DECLARED: Mapping[str, Schema] = {
    document.Settings.name: validator(document.Settings.name, document) for document in DOCUMENTS
}


def shape_of(live: Mapping[str, Any]) -> int | None:
    """Return the number of the shape in a live validator that a version of ours made and nobody has changed since."""
    schema = live.get(RULE)
    if live.keys() != {RULE} or not isinstance(schema, Mapping):
        return None
    made, title = _MADE_BY.fullmatch(str(schema.get("description"))), _TITLE.fullmatch(str(schema.get("title")))
    return int(title[2]) if made and title and made[1] == fingerprint(schema) else None


def replaceable(live: Mapping[str, Any]) -> bool:
    """Say whether the validator in a collection's options is none, or one that an earlier version of ours made."""
    present = live.get("validator") or {}
    shape = shape_of(present)
    return not present or (shape is not None and shape <= SHAPE)


def compared(collection: str, live: Mapping[str, Any]) -> list[Drift]:
    """Return how the validator in a collection's options differs from the declared one."""
    present = live.get("validator") or {}
    if not present:
        return [Drift(collection, RULE, DriftKind.MISSING, f"{LEVEL}, {ACTION}", tolerable=True)]
    drifts = []
    if present != DECLARED[collection]:
        shape = shape_of(present)
        detail = "live one is not ours" if shape is None else f"live one is shape {shape}"
        # A later version takes what this one writes, or it could not be rolled out.
        tolerable = shape is not None and shape > SHAPE
        drifts.append(
            Drift(collection, RULE, DriftKind.DIFFERENT, f"declared shape {SHAPE}, {detail}", tolerable=tolerable)
        )
    for option, declared in (("validationLevel", LEVEL), ("validationAction", ACTION)):
        if (found := live.get(option, declared)) != declared:
            detail = f"declared {declared}, live {found}"
            drifts.append(Drift(collection, option, DriftKind.DIFFERENT, detail, tolerable=True))
    return drifts
