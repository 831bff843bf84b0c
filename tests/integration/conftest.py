"""Fixtures of several integration tests: the command line on a database of its own, and calls that fail."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.support.commands import CommandLine
from tests.support.import_samples import NAME, Raw
from tests.support.meanwhile import Lost
from tests.support.raw_database import collection_names
from tests.support.watched_server import Server


@pytest.fixture(scope="module")
def store(mongo_uri: str) -> Iterator[Raw]:
    """The database that the command line uses."""
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        client.drop_database(NAME)
        yield client[NAME]


@pytest.fixture
def shell(mongo_uri: str, store: Raw, tmp_path: Path) -> CommandLine:
    """The command line on that database, which is empty."""
    for collection in collection_names(store):
        store[collection].delete_many({})
    return CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME)


@pytest.fixture
def several_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of imports of a tenth of their size, so that few records are several batches."""
    for name in ("users.BATCH", "groups.BATCH", "models.BATCH_RECORDS"):
        monkeypatch.setattr(f"service.importing.writers.{name}", 100)


@pytest.fixture
def server(mongo_uri: str, shell: CommandLine) -> Iterator[Server]:
    """The MongoDB that the command line uses, with every command logged."""
    # Temporary files go to the folder of the test, so that it finds any that remain.
    shell.environment["TMPDIR"] = str(shell.folder)
    with MongoClient[Any](mongo_uri) as client:
        server = Server(client, NAME)
        with server.every_command_logged():
            yield server


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Lost:
    """Return a function that makes a driver call fail after it was executed, as if its response were lost."""

    def lose(owner: Any, name: str, error: PyMongoError) -> None:
        whole = getattr(owner, name)

        async def done_but(*arguments: Any, **options: Any) -> None:
            await whole(*arguments, **options)
            raise error

        monkeypatch.setattr(owner, name, done_but)

    return lose
