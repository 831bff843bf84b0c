"""Records that do not have the declared shape, because they were written before there was a validator or past it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from beanie import Document

from documents import ModelRecord
from indexes.validators import RULE, VALIDATORS
from service.database.client import Database
from service.doctor.diagnosis import Diagnosis, Kind

BATCH = 2000
# Derived keys are compared with recomputed ones, so their shape need not be checked.
_DERIVED = "keys"


def shape_besides_keys(collection: str) -> dict[str, Any]:
    """Return the rule for the records of a collection, without the rule for their derived keys."""
    schema = VALIDATORS[collection][RULE]
    required = [name for name in schema["required"] if name != _DERIVED]
    properties = {name: {} if name == _DERIVED else part for name, part in schema["properties"].items()}
    return {RULE: {**schema, "required": required, "properties": properties}}


def between(ids: Sequence[str]) -> dict[str, Any]:
    """Return the match of all documents from the first to the last of these sorted ids."""
    return {"_id": {"$gte": ids[0], "$lte": ids[-1]}}


async def examine_shapes(database: Database, diagnosis: Diagnosis, kind: type[Document]) -> None:
    """Find documents that the validator of their collection would refuse."""
    await examine_ids(database, diagnosis, kind)
    async for batch in database.batches(kind, {"_id": {"$type": "string"}}, fields=["_id"], size=BATCH):
        await examine_shape(database, diagnosis, kind, [found["_id"] for found in batch])
        diagnosis.count_examined(len(batch))


async def examine_ids(database: Database, diagnosis: Diagnosis, kind: type[Document]) -> None:
    """Find ids that are not text: batches skip them and no route reaches them."""
    if count := await database.count(kind, {"_id": {"$not": {"$type": "string"}}}):
        name = kind.get_settings().name
        message = f"{count:,} records of {name} have an id that is not text, so no route reaches them"
        diagnosis.add(Kind.NON_TEXT_ID, message, count)


async def examine_shape(
    database: Database, diagnosis: Diagnosis, kind: type[Document], ids: Sequence[str], reported: Iterable[str] = ()
) -> None:
    """Find documents that the validator would refuse, from the first to the last of these sorted ids.

    Those in `reported` are counted as malformed already.
    """
    rule = shape_besides_keys(str(kind.get_settings().name))
    found = await database.malformed(kind, between(ids), rule)
    for record_id in sorted(set(found) - set(reported)):
        fields = await _fields(database, kind, record_id, rule) if diagnosis.wants_example(Kind.MALFORMED) else []
        diagnosis.add(Kind.MALFORMED, f"{_named(kind)} {record_id!r} is malformed: {', '.join(fields)}")
    if diagnosis.repair and found:
        await _widen_counters(database, kind, found)
        remaining = await database.malformed(kind, {"_id": {"$in": found}}, rule)
        diagnosis.add_repaired(Kind.MALFORMED, len(set(found) - set(remaining) - set(reported)))


async def _widen_counters(database: Database, kind: type[Document], ids: Sequence[str]) -> None:
    # Tools that read JSON store small numbers with 32 bits. Other repairs would be guesses.
    for field in ("version", "number"):
        short = {"_id": {"$in": list(ids)}, field: {"$type": "int"}}
        widened: list[Mapping[str, Any]] = [{"$set": {field: {"$toLong": f"${field}"}}}]
        await database.update_many(kind, short, widened, any_shape=True)


async def _fields(database: Database, kind: type[Document], record_id: str, rule: Mapping[str, Any]) -> list[str]:
    schema = rule[RULE]
    parts: dict[str, dict[str, Any]] = {
        name: {"properties": {name: part}, "required": [name] if name in schema["required"] else ["_id"]}
        for name, part in schema["properties"].items()
    }
    parts["unknown fields"] = {
        "properties": {name: {} for name in schema["properties"]},
        "additionalProperties": False,
    }
    one = {"_id": record_id}
    return [name for name, part in parts.items() if await database.malformed(kind, one, {RULE: part})]


def _named(kind: type[Document]) -> str:
    return "model" if kind is ModelRecord else str(kind.get_settings().name).removesuffix("s").replace("_", " ")
