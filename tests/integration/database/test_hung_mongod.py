"""A MongoDB that hangs but keeps its connections open is detected long before a request's deadline."""

import os
import signal
from pathlib import Path

import pytest

from documents import User
from service.database.client import Database
from tests.support.commands import until
from tests.support.mongod_with_auth import Client, mongod_with_auth

NOTICED_SECONDS = 8.0


@pytest.mark.faults
async def test_a_mongod_that_hangs_is_noticed(tmp_path: Path) -> None:
    with mongod_with_auth(tmp_path) as uri, Client(uri) as client:
        pid = client.admin.command("serverStatus")["pid"]
        database = Database.connect(uri, "modeldeck_hung", 60.0)
        await database.open()
        driver = database.connection.client.delegate
        try:
            assert await database.count(User, {}) == 0
            os.kill(pid, signal.SIGSTOP)
            until(lambda: not driver.topology_description.has_readable_server(), "it is noticed", NOTICED_SECONDS)
        finally:
            os.kill(pid, signal.SIGCONT)
            database.close()
