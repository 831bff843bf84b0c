"""Views that were changed, removed or replaced by a collection."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo.database import Database as SyncDatabase

from indexes.ensure import check, ensure
from indexes.views import VIEW_NAMES, VIEWS
from service.cli.open_database import open_database
from service.database.client import Database
from service.settings import Settings
from tests.conftest import DATABASE
from tests.support.directory import LIST, Directory

Raw = SyncDatabase[dict[str, Any]]


@pytest.fixture(autouse=True)
async def restored(mongod: Database, raw: Raw) -> AsyncIterator[None]:
    """Restore the declared views after a test."""
    yield
    for name in VIEW_NAMES:
        raw.drop_collection(name)
    assert await ensure(mongod) == []


async def _reported(database: Database) -> list[str]:
    return [str(drift) for drift in await check(database)]


async def test_a_missing_view_is_reported_and_made(mongod: Database, raw: Raw) -> None:
    raw.drop_collection("tag_usage")
    assert await _reported(mongod) == ["missing: tag_usage.view (of models)"]
    assert await ensure(mongod) == []
    assert list(raw.tag_usage.find()) == []


@pytest.mark.parametrize(
    ("source", "pipeline", "reported"),
    [
        ("models", [], "different: tag_usage.view (its pipeline is not the declared one)"),
        ("users", [], "different: tag_usage.view (declared of models, found of users)"),
    ],
)
async def test_a_view_of_another_version_is_reported_and_replaced(
    mongod: Database, raw: Raw, source: str, pipeline: list[Any], reported: str
) -> None:
    raw.command({"collMod": "tag_usage", "viewOn": source, "pipeline": pipeline})
    assert await _reported(mongod) == [reported]
    assert await ensure(mongod) == []
    assert await check(mongod) == []


async def test_the_order_of_columns_counts(mongod: Database, raw: Raw) -> None:
    [view] = [view for view in VIEWS if view.name == "tag_usage"]
    *stages, last = view.pipeline
    turned = {"$project": dict(reversed(last["$project"].items()))}
    raw.command({"collMod": view.name, "viewOn": view.source, "pipeline": [*stages, turned]})
    assert len(await _reported(mongod)) == 1


async def test_a_collection_in_place_of_a_view_is_reported_and_left_alone(
    directory: Directory, settings: Settings, mongo_uri: str, raw: Raw
) -> None:
    await directory.user("ann")
    raw.drop_collection("tag_usage")
    raw.tag_usage.insert_one({"_id": "mine"})
    located = settings.model_copy(update={"mongodb_uri": SecretStr(mongo_uri), "database": DATABASE})

    async with open_database(located) as database:
        assert await _reported(database) == ["different: tag_usage.view (there is a collection of this name)"]

    assert raw.tag_usage.count_documents({}) == 1
    # The service itself reads no view.
    assert (await directory.client.get("/health/ready")).status_code == 200
    assert (await directory.get(LIST, "ann")).status_code == 200


async def test_a_view_takes_no_writes(raw: Raw) -> None:
    with pytest.raises(Exception, match="is a view"):
        raw.tag_usage.insert_one({"tag": "x"})
