"""Records that are not of the declared shape, written before there was a validator or past it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from beanie import Document

from documents import ModelRecord
from indexes.validators import DECLARED, RULE
from service.database.client import Database
from service.doctor.diagnosis import Diagnosis, Kind

BATCH = 2000
# What the doctor recomputes is stale when it differs in any way.
_DERIVED = "keys"


def shape_besides_keys(collection: str) -> dict[str, Any]:
    """Return the rule for a collection's records, whatever their keys are."""
    schema = DECLARED[collection][RULE]
    required = [name for name in schema["required"] if name != _DERIVED]
    properties = {name: {} if name == _DERIVED else part for name, part in schema["properties"].items()}
    return {RULE: {**schema, "required": required, "properties": properties}}


def between(ids: Sequence[str]) -> dict[str, Any]:
    """Return the match of all documents from the first of these ids, which are in order, to the last."""
    return {"_id": {"$gte": ids[0], "$lte": ids[-1]}}


async def examine_shapes(database: Database, diagnosis: Diagnosis, kind: type[Document]) -> None:
    """Find what the validator of a collection would refuse."""
    await examine_ids(database, diagnosis, kind)
    async for batch in database.batches(kind, {"_id": {"$type": "string"}}, fields=["_id"], size=BATCH):
        await examine_shape(database, diagnosis, kind, [found["_id"] for found in batch])
        diagnosis.look(len(batch))


async def examine_ids(database: Database, diagnosis: Diagnosis, kind: type[Document]) -> None:
    """Find ids that are no text, which no batch holds and no route reaches."""
    if odd := await database.count(kind, {"_id": {"$not": {"$type": "string"}}}):
        name = kind.get_settings().name
        diagnosis.note(Kind.ODD_ID, f"{odd:,} records of {name} have an id that is no text: no route reaches them", odd)


async def examine_shape(
    database: Database, diagnosis: Diagnosis, kind: type[Document], ids: Sequence[str], told: Iterable[str] = ()
) -> None:
    """Find what the validator would refuse between the first and the last of some ids in order.

    `told` are those of which that is told already.
    """
    rule = shape_besides_keys(str(kind.get_settings().name))
    found = await database.malformed(kind, between(ids), rule)
    for record_id in sorted(set(found) - set(told)):
        fields = await _fields(database, kind, record_id, rule) if diagnosis.wants_example(Kind.MALFORMED) else []
        diagnosis.note(Kind.MALFORMED, f"{_named(kind)} {record_id!r} is malformed: {', '.join(fields)}")
    if diagnosis.repair and found:
        await _lengthen(database, kind, found)
        left = await database.malformed(kind, {"_id": {"$in": found}}, rule)
        diagnosis.mend(Kind.MALFORMED, len(set(found) - set(left) - set(told)))


async def _lengthen(database: Database, kind: type[Document], ids: Sequence[str]) -> None:
    # Tools that read JSON store small numbers with 32 bits. All else that could be wrong would be a guess.
    short = {"_id": {"$in": list(ids)}, "version": {"$type": "int"}}
    longer: list[Mapping[str, Any]] = [{"$set": {"version": {"$toLong": "$version"}}}]
    await database.update_many(kind, short, longer, any_shape=True)


async def _fields(database: Database, kind: type[Document], record_id: str, rule: Mapping[str, Any]) -> list[str]:
    schema = rule[RULE]
    parts: dict[str, dict[str, Any]] = {
        name: {"properties": {name: part}, "required": [name] if name in schema["required"] else ["_id"]}
        for name, part in schema["properties"].items()
    }
    parts["fields that no record has"] = {
        "properties": {name: {} for name in schema["properties"]},
        "additionalProperties": False,
    }
    one = {"_id": record_id}
    return [name for name, part in parts.items() if await database.malformed(kind, one, {RULE: part})]


def _named(kind: type[Document]) -> str:
    return "model" if kind is ModelRecord else str(kind.get_settings().name).removesuffix("s").replace("_", " ")
