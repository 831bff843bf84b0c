"""Shared fixtures: one embedded mongod for the whole run, a clean database and a client for each test."""

import gc
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import cache
from itertools import compress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from mongomock_motor import AsyncMongoMockClient
from pydantic import SecretStr
from pymongo import MongoClient, WriteConcern
from pymongo.database import Database as SyncDatabase
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from documents import DOCUMENTS
from indexes.ensure import ensure
from service.database.client import Database
from service.embedded_mongo.server import EmbeddedMongo
from service.importing.source import GZIP_MAGIC
from service.settings import Settings
from tests.support.backends import MockedDatabase, teach_union_with
from tests.support.directory import Directory
from tests.support.every_case import is_tried, repetitions
from tests.support.random_directory import SEED, RandomDirectory
from tests.support.raw_database import UnvalidatedDatabase

Raw = SyncDatabase[dict[str, Any]]

DATABASE = "modeldeck_test"
RANDOM_DATABASE = f"{DATABASE}_random"
# Long, because machines that run tests can be slow. A test of the deadline itself sets a shorter one.
TIMEOUT_SECONDS = 60.0
# Many tests send invalid credentials, all from one address; the login throttle must not stop them.
MANY_FAILURES = 100_000

# For each request, httpx tries to import trio, which takes a tenth of the time of the request.
sys.modules["trio"] = None  # type: ignore[assignment]

# No deadline for a single example: its duration depends on how busy the machine is.
hypothesis.settings.register_profile("modeldeck", deadline=None, max_examples=repetitions(25, 100))
hypothesis.settings.load_profile("modeldeck")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name compressed content alike in all processes that run tests: it holds the time at which it was made."""
    return "gzip" if isinstance(val, bytes) and GZIP_MAGIC in val else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test an id of its own, because pytest-xdist runs only one of several tests with the same id."""
    for item in items:
        if item.parent is not None and not item.nodeid.endswith(f"::{item.name}"):
            # The id of a test that Schemathesis generates lacks the operation, which is in the test's name.
            item._id = item.parent.id.child(item.name)
    repeated = [nodeid for nodeid, times in Counter(item.nodeid for item in items).items() if times > 1]
    if repeated:
        raise pytest.UsageError(f"several tests have one id: {', '.join(repeated[:5])}")
    tried = list(is_tried(items))
    config.hook.pytest_deselected(items=[item for item, is_one in zip(items, tried, strict=True) if not is_one])
    items[:] = compress(items, tried)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip a file of which nothing would run: Schemathesis makes its tests as it is collected, which takes seconds."""
    needless = collection_path.name == "test_schemathesis.py" and "not tools" in config.getoption("markexpr")
    return needless or None


def pytest_collection_finish() -> None:
    """Exclude long-lived objects from garbage collection, as the service does when it starts."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> None:
    """Keep the tests independent of the MODELDECK_* variables and the `.env` of the developer."""
    for name in [name for name in os.environ if name.startswith("MODELDECK_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def mongo_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a real mongod that runs for the whole test session."""
    embedded = EmbeddedMongo(tmp_path_factory.mktemp("mongo"))
    with embedded.lease():
        yield embedded.uri(DATABASE)


class Commands(CommandListener):
    """Records the commands that reach the server."""

    def __init__(self) -> None:
        self.started_events: list[CommandStartedEvent] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.started_events.append(event)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass

    def clear(self) -> None:
        self.started_events.clear()

    def on(self, collection: str) -> list[tuple[str, dict[str, Any]]]:
        """Return name and body of every command on a collection."""
        found = [(event.command_name, dict(event.command)) for event in self.started_events]
        return [(name, command) for name, command in found if command.get(name) == collection]


@pytest.fixture(scope="session")
def all_commands() -> Commands:
    """What was sent to the real mongod."""
    return Commands()


@pytest.fixture(autouse=True)
def commands(all_commands: Commands) -> Commands:
    """What was sent to the real mongod since this test began; older commands are dropped to save memory."""
    all_commands.clear()
    return all_commands


@pytest.fixture(scope="session")
async def real_database(mongo_uri: str, all_commands: Commands) -> AsyncIterator[Database]:
    """One database on the real mongod, with all its indexes."""
    database = Database.connect(mongo_uri, DATABASE, TIMEOUT_SECONDS, event_listeners=[all_commands])
    await database.open()
    assert await ensure(database) == []
    yield database
    database.close()


@pytest.fixture(scope="session")
def raw(mongo_uri: str) -> Iterator[Raw]:
    """The same database through PyMongo, without the service and without validation of what a test writes."""
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        yield UnvalidatedDatabase(client, DATABASE)


def empty(raw: Raw) -> None:
    """Delete every record, without waiting for the journal, since tests do not need durability."""
    unjournaled = raw.client.get_database(raw.name, write_concern=WriteConcern(w=1, j=False))
    first, *others = (str(document.Settings.name) for document in DOCUMENTS)
    pipeline = [
        *_one_record(first),
        *({"$unionWith": {"coll": name, "pipeline": _one_record(name)}} for name in others),
    ]
    # Most collections are empty, and one read is cheaper than a write for each.
    for found in unjournaled[first].aggregate(pipeline):
        unjournaled[found["collection"]].delete_many({})


def _one_record(collection: str) -> list[dict[str, Any]]:
    return [{"$limit": 1}, {"$project": {"_id": 0, "collection": {"$literal": collection}}}]


@pytest.fixture
async def mongod(real_database: Database, raw: Raw) -> Database:
    """The real database, empty."""
    empty(raw)
    return real_database


@pytest.fixture
async def database(request: pytest.FixtureRequest, real_database: Database, raw: Raw) -> Database:
    """An empty database: the real one, or the one that `tests.support.backends.on_each_backend` asks for."""
    if getattr(request, "param", "mongod") == "mongod":
        empty(raw)
        return real_database
    teach_union_with()
    mocked = MockedDatabase(AsyncMongoMockClient(tz_aware=True), DATABASE, TIMEOUT_SECONDS)
    await mocked.open()
    return mocked


@cache
def _settings() -> Settings:
    return Settings(
        _env_file=None,
        mongodb_uri=SecretStr("mongodb://unused.invalid"),
        max_in_flight=1000,
        request_timeout=TIMEOUT_SECONDS,
        list_timeout=TIMEOUT_SECONDS,
        auth_failures_per_minute=MANY_FAILURES,
    )


def settings_in(folder: Path) -> Settings:
    """Return settings that refer to nothing on the developer's machine but this data directory."""
    return _settings().model_copy(update={"data_dir": folder})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings that refer to nothing on the developer's machine but a temporary data directory."""
    return settings_in(tmp_path)


@pytest.fixture
async def directory(database: Database, settings: Settings) -> AsyncIterator[Directory]:
    """The service over HTTP, with helpers to fill it; on the real mongod unless a test asks for each backend."""
    async with Directory.on(database, settings) as directory:
        yield directory


@pytest.fixture(scope="session")
async def filled_random_directory(
    mongo_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RandomDirectory]:
    """A directory on the real mongod, in a database of its own, filled at random."""
    folder = tmp_path_factory.mktemp("random_directory")
    database = Database.connect(mongo_uri, RANDOM_DATABASE, TIMEOUT_SECONDS)
    await database.open()
    assert await ensure(database) == []
    async with Directory.on(database, settings_in(folder)) as directory:
        yield await RandomDirectory.fill(directory, folder)
    database.close()


@pytest.fixture
def random_directory(filled_random_directory: RandomDirectory, request: pytest.FixtureRequest) -> RandomDirectory:
    """One random directory for all tests that only read it, and the oracle with the expected answers."""
    # Seeded for each test, so that its random values do not depend on the tests that ran before.
    filled_random_directory.generator.random.seed(f"{SEED} {request.node.name}")
    return filled_random_directory
