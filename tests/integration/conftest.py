"""What only the tests of imports through the command line share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.commands import CommandLine
from tests.moving import NAME, Stored
from tests.stored import collections


@pytest.fixture(scope="module")
def store(mongo_uri: str) -> Iterator[Stored]:
    """The database that the command line imports into."""
    with MongoClient[dict[str, Any]](mongo_uri, tz_aware=True) as client:
        client.drop_database(NAME)
        yield client[NAME]


@pytest.fixture
def mover(mongo_uri: str, store: Stored, tmp_path: Path) -> CommandLine:
    """The command line, on that database, empty."""
    for collection in collections(store):
        store[collection].delete_many({})
    return CommandLine(tmp_path, mongodb_uri=mongo_uri, database=NAME)
