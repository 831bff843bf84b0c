"""Drift between the declared indexes and validators and those of the database."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pymongo import IndexModel

from indexes.drift import DriftKind
from indexes.ensure import check, drop_until_loaded, ensure
from indexes.indexes import INDEXES, LOADED


class Server:
    """A server that remembers its indexes and validators."""

    def __init__(self) -> None:
        self.live: dict[str, list[dict[str, Any]]] = {
            name: [{"name": "_id_", "key": {"_id": 1}, "v": 2}] for name in INDEXES
        }
        self.options: dict[str, dict[str, Any]] = {name: {} for name in INDEXES}

    async def create_indexes(self, collection: str, indexes: Sequence[IndexModel]) -> None:
        self.live[collection].extend({**index.document, "v": 2} for index in indexes)

    async def drop_indexes(self, collection: str, names: Sequence[str]) -> bool:
        self.live[collection] = [index for index in self.live[collection] if index["name"] not in names]
        return True

    async def list_indexes(self, collection: str) -> list[dict[str, Any]]:
        return self.live[collection]

    async def collection_options(self) -> dict[str, dict[str, Any]]:
        return self.options

    async def put_view(self, name: str, source: str, pipeline: Sequence[Mapping[str, Any]]) -> None:
        self.options[name] = {"viewOn": source, "pipeline": list(pipeline)}

    async def set_validator(self, collection: str, validator: Mapping[str, Any]) -> None:
        self.options.setdefault(collection, {})["validator"] = dict(validator)


async def test_an_empty_database_gets_every_declared_index_and_validator() -> None:
    server = Server()
    assert {drift.kind for drift in await check(server)} == {DriftKind.MISSING}
    assert await ensure(server) == []
    assert await check(server) == []


async def test_where_all_is_as_declared_everything_is_looked_at_once() -> None:
    class Counting(Server):
        async def collection_options(self) -> dict[str, dict[str, Any]]:
            asked.append("options")
            return await super().collection_options()

        async def list_indexes(self, collection: str) -> list[dict[str, Any]]:
            asked.append(collection)
            return await super().list_indexes(collection)

    asked: list[str] = []
    server = Counting()
    await ensure(server)
    asked.clear()
    assert await ensure(server) == []
    assert sorted(asked) == sorted(["options", *INDEXES])


async def test_extra_and_different_indexes_are_reported_and_left_alone() -> None:
    server = Server()
    await ensure(server)
    email = next(index for index in server.live["users"] if index["name"] == "email")
    email["unique"] = False
    server.live["models"].append({"name": "theirs", "key": {"x": -1}, "v": 2, "sparse": True})
    before = {name: list(indexes) for name, indexes in server.live.items()}

    drifts = await ensure(server)

    assert [str(drift) for drift in drifts] == [
        "extra: models.theirs ({x: -1} {'sparse': True})",
        "different: users.email (declared {keys.email: 1} {'unique': True}, found {keys.email: 1})",
    ]
    assert server.live == before


@pytest.mark.parametrize("kind", ["hashed", "text", "2dsphere", 1.0, -1])
async def test_indexes_of_every_kind_can_stand_beside_ours(kind: Any) -> None:
    server = Server()
    await ensure(server)
    server.live["models"].append({"name": "theirs", "key": {"_id": kind}, "v": 2})
    assert [(drift.kind, drift.name) for drift in await ensure(server)] == [(DriftKind.EXTRA, "theirs")]


async def test_an_index_under_another_name_is_reported_and_not_made_again() -> None:
    server = Server()
    await ensure(server)
    for index in server.live["users"]:
        if index["name"] == "email":
            index.update(name="theirs", unique=False)

    drifts = await ensure(server)

    assert [(drift.kind, drift.name, drift.keeps_unique) for drift in drifts] == [
        (DriftKind.DIFFERENT, "email", True),
        (DriftKind.EXTRA, "theirs", False),
    ]
    assert len(server.live["users"]) == len(INDEXES["users"]) + 1


async def test_an_index_that_is_being_built_is_missing_and_waited_for() -> None:
    server = Server()
    await ensure(server)
    [grams] = [index for index in server.live["models"] if index["name"] == "grams"]
    grams["building"] = True
    server.live["models"].append({"name": "theirs", "key": {"x": 1}, "v": 2, "building": True})

    assert [str(drift) for drift in await check(server)] == [
        "missing: models.grams ({keys.grams: 1}, which is being built)",
        "extra: models.theirs ({x: 1})",
    ]
    waited_for: list[str] = []

    async def wait(collection: str, indexes: Sequence[IndexModel]) -> None:
        waited_for.extend(index.document["name"] for index in indexes)
        del grams["building"]

    server.create_indexes = wait  # type: ignore[method-assign]
    assert [drift.name for drift in await ensure(server)] == ["theirs"]
    assert waited_for == ["grams"]


async def test_until_a_load_has_ended_only_unique_indexes_and_those_of_others_are_there() -> None:
    server = Server()
    await ensure(server)
    server.live["models"].append({"name": "theirs", "key": {"x": 1}, "v": 2})

    assert await drop_until_loaded(server)

    assert {name: [index["name"] for index in found] for name, found in server.live.items() if name in LOADED} == {
        "models": ["_id_", "origin", "theirs"],
        "revisions": ["_id_", "history"],
    }
    assert {drift.collection for drift in await check(server)} == set(LOADED)
    assert not await drop_until_loaded(server)
    assert [drift.name for drift in await ensure(server)] == ["theirs"]


async def test_indexes_are_made_in_the_declared_order() -> None:
    server = Server()
    await ensure(server)
    assert [index["name"] for index in server.live["models"]][1:] == [
        index.document["name"] for index in INDEXES["models"]
    ]


def test_every_index_has_a_name_of_its_own() -> None:
    for indexes in INDEXES.values():
        names = [index.document["name"] for index in indexes]
        assert len(names) == len(set(names))
        assert not any("_1" in name for name in names)
