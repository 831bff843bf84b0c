"""Validators generated from the document classes, and their comparison with those of the database."""

from copy import deepcopy
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import pytest
from beanie import Document
from bson import Int64
from pydantic import BaseModel, ConfigDict, Field

from documents import DOCUMENTS
from indexes import validators
from indexes.drift import DriftKind, validator_drift
from indexes.ensure import check, ensure
from indexes.validators import RULE, SHAPE, VALIDATORS, bson_schema, fingerprint, replaceable
from tests.unit.indexes.test_ensure import Server

# One fingerprint for each released shape: a changed validator needs a new number.
FINGERPRINTS = {
    1: "692f8119f45b4c75",
    2: "6b13a80df37c24c2",
    3: "91ec6c455e7084e5",
    4: "a7309d44ffaf28f7",
    5: "889a62268ed5e57a",
    6: "8bb2155d56f1aecc",
    7: "c83f0ea09b472c88",
}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    colour: Colour
    size: Annotated[int, Field(ge=1, lt=2**63)]


class Thing(Document):
    id: Annotated[str, Field(min_length=1, max_length=5, pattern=r"^\S+$")]  # type: ignore[assignment]
    parts: list[Part]
    made_at: datetime
    sold_at: datetime | None
    nickname: Annotated[str, Field(min_length=1)] | None
    free: dict[str, Any]
    packed: bytes | None
    done: bool = False

    class Settings:
        name = "things"


PART = {
    "bsonType": "object",
    "required": ["colour", "size"],
    "properties": {
        "colour": {"bsonType": "string", "enum": ["red", "blue"]},
        "size": {"bsonType": "long", "minimum": Int64(1)},
    },
    "additionalProperties": False,
}


def test_a_schema_says_all_that_the_document_says() -> None:
    assert bson_schema(Thing) == {
        "bsonType": "object",
        "required": ["_id", "parts", "made_at", "sold_at", "nickname", "free", "packed"],
        "properties": {
            "_id": {"bsonType": "string", "minLength": 1, "maxLength": 5, "pattern": r"^\S+\z"},
            "parts": {"bsonType": "array", "items": PART},
            "made_at": {"bsonType": "date"},
            "sold_at": {"bsonType": ["date", "null"]},
            "nickname": {"bsonType": ["string", "null"], "minLength": 1},
            "free": {"bsonType": "object"},
            "packed": {"bsonType": ["binData", "null"]},
            "done": {"bsonType": "bool"},
        },
        "additionalProperties": False,
    }


def test_a_new_field_is_in_the_schema_by_itself() -> None:
    class Grown(Thing):
        weight: int

    grown = bson_schema(Grown)
    assert grown["properties"]["weight"] == {"bsonType": "long"}
    assert "weight" in grown["required"]


@pytest.mark.parametrize(
    "field",
    [float, UUID, str | int, list[str] | None | int, Annotated[int, Field(multiple_of=3)], Colour | None, Any],
    ids=str,
)
def test_a_field_without_a_counterpart_is_refused_not_left_out(field: Any) -> None:
    class Odd(Thing):
        odd: field

    with pytest.raises(TypeError):
        bson_schema(Odd)


def test_every_document_has_a_validator_that_takes_no_other_fields() -> None:
    for document in DOCUMENTS:
        schema = VALIDATORS[document.Settings.name][RULE]
        assert schema["additionalProperties"] is False
        stored = {"_id" if name == "id" else name for name in document.model_fields} - {"revision_id"}
        assert schema["properties"].keys() == stored
    models = VALIDATORS["models"][RULE]["properties"]
    assert models["access_grants"]["items"]["additionalProperties"] is False
    assert models["version"]["bsonType"] == "long"
    assert models["params"] == models["meta"] == {"bsonType": "object"}
    assert {"keys", "base_model_id", "version"} <= set(VALIDATORS["models"][RULE]["required"])


def test_what_earlier_versions_did_not_store_is_not_required() -> None:
    users, groups = VALIDATORS["users"][RULE], VALIDATORS["groups"][RULE]
    assert users["properties"].keys() - set(users["required"]) == {"leaving", "rekey_pending", "session_stamp"}
    assert users["properties"]["keys"]["required"] == ["email"]
    assert groups["properties"].keys() - set(groups["required"]) == {"leaving"}


def test_another_shape_has_another_number() -> None:
    current = fingerprint(VALIDATORS)
    assert FINGERPRINTS.get(SHAPE) == current, "a stored shape has changed: raise validators.SHAPE, and add it here"


async def _standing(collection: str, options: dict[str, Any]) -> tuple[Server, list[str]]:
    server = Server()
    await ensure(server)
    server.options[collection] = options
    return server, [str(drift) for drift in await check(server)]


def _numbered(shape: int, **changes: Any) -> dict[str, Any]:
    schema = {**VALIDATORS["models"][RULE], "title": f"modeldeck models shape {shape}", **changes}
    return {RULE: {**schema, "description": f"Made by modeldeck from its documents: {fingerprint(schema)}"}}


async def test_a_missing_validator_is_reported_and_set() -> None:
    standing: list[dict[str, Any]] = [{}, {"validator": {}}, {"capped": False}]
    for options in standing:
        server, reported = await _standing("models", dict(options))
        assert reported == ["missing: models.$jsonSchema (strict, error)"]
        assert await ensure(server) == []
        assert server.options["models"]["validator"] == VALIDATORS["models"]


async def test_a_validator_of_an_earlier_version_is_replaced() -> None:
    server, reported = await _standing("models", {"validator": _numbered(SHAPE - 1, required=["_id"])})
    assert reported == [f"different: models.$jsonSchema (declared shape {SHAPE}, found shape {SHAPE - 1})"]
    assert await ensure(server) == []


async def test_a_validator_of_a_later_version_stays_and_can_be_lived_with() -> None:
    later = {"validator": _numbered(SHAPE + 1, required=["_id"])}
    server, reported = await _standing("models", later)
    assert reported == [f"different: models.$jsonSchema (declared shape {SHAPE}, found shape {SHAPE + 1})"]
    [drift] = await ensure(server)
    assert (drift.affects_service, server.options["models"]) == (False, later)


def _foreign() -> list[dict[str, Any]]:
    edited = deepcopy(_numbered(SHAPE - 1))
    edited[RULE]["required"].append("costs")
    return [{"name": {"$type": "string"}}, {RULE: {"required": ["x"]}}, edited, {**_numbered(SHAPE), "name": "x"}]


@pytest.mark.parametrize("foreign", _foreign(), ids=["query", "schema", "ours, edited", "ours, and more"])
async def test_what_somebody_else_decided_stays_and_is_reported(foreign: dict[str, Any]) -> None:
    server, reported = await _standing("models", {"validator": foreign})
    assert reported == [
        f"different: models.$jsonSchema (declared shape {SHAPE}, found one that modeldeck did not make)"
    ]
    [drift] = await ensure(server)
    assert (drift.kind, drift.affects_service) == (DriftKind.DIFFERENT, True)
    assert server.options["models"]["validator"] == foreign


async def test_a_weaker_level_or_action_stays_and_is_reported() -> None:
    weak = {"validationLevel": "moderate", "validationAction": "warn"}
    server, reported = await _standing("models", {"validator": _numbered(SHAPE - 1), **weak})
    assert reported[1:] == [
        "different: models.validationAction (declared error, found warn)",
        "different: models.validationLevel (declared strict, found moderate)",
    ]
    drifts = await ensure(server)
    assert [drift.name for drift in drifts] == ["validationAction", "validationLevel"]
    assert not any(drift.affects_service for drift in drifts)
    assert server.options["models"] == {"validator": VALIDATORS["models"], **weak}


def test_the_number_alone_makes_nothing_ours() -> None:
    assert validators.shape_of({RULE: {"title": f"modeldeck models shape {SHAPE}"}}) is None
    assert not replaceable({"validator": {RULE: {"title": "modeldeck models shape 0", "description": "x"}}})
    assert validator_drift("models", {"validator": VALIDATORS["models"]}) == []
