"""Undeclared indexes: how the service and its commands work beside them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo.database import Database as SyncDatabase

from indexes.ensure import ensure
from service.cli.open_database import open_database
from service.database.client import Database
from service.errors import ConfigurationError
from service.settings import Settings
from tests.conftest import DATABASE
from tests.support.directory import LIST, Directory

Raw = SyncDatabase[dict[str, Any]]


@pytest.fixture
def located(settings: Settings, mongo_uri: str) -> Settings:
    """Settings with which a command opens the database under test."""
    return settings.model_copy(update={"mongodb_uri": SecretStr(mongo_uri), "database": DATABASE})


@pytest.fixture
async def restored(mongod: Database, raw: Raw) -> AsyncIterator[None]:
    """Restore the declared indexes after a test."""
    yield
    for name in ("models", "users"):
        raw[name].drop_indexes()
    assert await ensure(mongod) == []


@pytest.mark.parametrize(
    "key", [[("_id", "hashed")], [("name", "text")], [("meta.place", "2dsphere")], [("meta.$**", 1)], [("name", -1)]]
)
@pytest.mark.usefixtures("restored")
async def test_indexes_of_every_kind_disturb_nothing(
    directory: Directory, raw: Raw, located: Settings, key: list[tuple[str, Any]]
) -> None:
    await directory.user("ann")
    raw.models.create_index(key, name="theirs")

    async with open_database(located) as database:
        assert [drift.name for drift in await ensure(database)] == ["theirs"]
    assert (await directory.client.get("/health/ready")).status_code == 200
    assert (await directory.get(LIST, "ann")).status_code == 200


@pytest.mark.usefixtures("restored")
async def test_a_declared_index_under_another_name_serves_but_is_reported(
    directory: Directory, raw: Raw, located: Settings
) -> None:
    await directory.user("ann")
    fields = [(field, 1) for field in ("keys.readers", "created_at", "_id", "user_id", "base_model_id", "is_active")]
    raw.models.drop_index("readable_by_created")
    raw.models.create_index(fields, name="other")

    async with open_database(located) as database:
        assert [str(drift).split()[0:2] for drift in await ensure(database)] == [
            ["extra:", "models.other"],
            ["different:", "models.readable_by_created"],
        ]
    assert (await directory.get(LIST, "ann")).status_code == 200
    assert (await directory.client.get("/health/ready")).status_code == 503


@pytest.mark.parametrize("name", ["email", "other"])
@pytest.mark.usefixtures("restored")
async def test_without_the_index_that_keeps_emails_unique_nothing_is_opened(
    raw: Raw, located: Settings, name: str
) -> None:
    raw.users.drop_index("email")
    raw.users.create_index([("keys.email", 1)], name=name)

    with pytest.raises(ConfigurationError, match=r"users\.email"):
        async with open_database(located):
            pass
