"""The service of a directory over TCP, and both clients of it."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from modeldeck_client import AsyncModeldeck, Modeldeck
from tests.support.directory import Directory
from tests.support.python_clients import Client, Connect, client
from tests.support.served_directory import ServedDirectory, served


@pytest.fixture
async def serving(directory: Directory) -> AsyncIterator[ServedDirectory]:
    """The service, with the user `ann`."""
    await directory.user("ann")
    async with served(directory) as serving:
        yield serving


@pytest.fixture(params=[Modeldeck, AsyncModeldeck], ids=["synchronous", "asynchronous"])
def connect(request: pytest.FixtureRequest, serving: ServedDirectory) -> Connect:
    """Connects one kind of client, with a key."""

    def connected(key: str, path: str = "", **options: Any) -> AbstractAsyncContextManager[Client]:
        return client(request.param, f"{serving.url}{path}", key, **options)

    return connected


@pytest.fixture
async def ann(connect: Connect, directory: Directory) -> AsyncIterator[Client]:
    """One kind of client, with a key of `ann`."""
    async with connect(await directory.key("ann")) as connected:
        yield connected
