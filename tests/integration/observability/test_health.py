"""The health probes with a database that answers, hangs, or is down."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pymongo import MongoClient

from indexes.ensure import ensure
from service.database.client import Database
from service.embedded_mongo.server import EmbeddedMongo
from service.observability.probes import READ_ONLY
from service.settings import Settings
from tests.support.directory import Directory
from tests.support.slow_clients import until

LIST, LIVE, READY = "/api/models/list", "/health/live", "/health/ready"


async def test_a_hanging_database_makes_the_service_unready_long_before_a_request_is_given_up(tmp_path: Path) -> None:
    embedded = EmbeddedMongo(tmp_path / "data")
    with embedded.lease():
        uri = embedded.uri("modeldeck")
        settings = Settings(_env_file=None, mongodb_uri=SecretStr(uri), data_dir=tmp_path, request_timeout=60)
        database = Database.connect(uri, "modeldeck", settings.request_timeout)
        async with Directory.on(database, settings) as directory:
            assert (await directory.client.get(READY)).status_code == 503  # no indexes yet
            pid = embedded.member.pid()
            os.kill(pid, signal.SIGSTOP)
            try:
                started = time.monotonic()
                answer = await directory.client.get(READY)
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
                assert time.monotonic() - started < 30
                assert (await directory.client.get(LIVE)).status_code == 200
            finally:
                os.kill(pid, signal.SIGCONT)
        database.close()


async def test_while_a_member_recovers_the_service_is_not_ready_and_afterwards_it_answers(tmp_path: Path) -> None:
    embedded = EmbeddedMongo(tmp_path / "data")
    with embedded.lease(), MongoClient[dict[str, Any]](embedded.uri("modeldeck")) as client:
        uri = SecretStr(embedded.uri("modeldeck"))
        settings = Settings(_env_file=None, mongodb_uri=uri, data_dir=tmp_path, request_timeout=1)
        database = Database.connect(embedded.uri("modeldeck"), "modeldeck", settings.request_timeout)
        await ensure(database)
        async with Directory.on(database, settings) as directory:
            ann = await directory.user("ann")
            assert (await directory.client.get(READY)).status_code == 200
            client.admin.command("replSetStepDown", 600, force=True)
            assert (await directory.client.get(READY)).json()["detail"] == READ_ONLY

            client.admin.command("replSetMaintenance", 1)
            database.connection.renew()
            # On connections that are made now, the driver does without sessions for as long as they are open.
            answers = await asyncio.gather(*(directory.get(LIST, ann) for _ in range(3)))
            assert {answer.status_code for answer in answers} <= {503, 504}
            assert (await directory.client.get(READY)).status_code == 503

            client.admin.command("replSetMaintenance", 0)
            client.admin.command("replSetFreeze", 0)
            await until(embedded.member.is_primary)
            assert [(await directory.get(LIST, ann)).status_code for _ in range(5)] == [200] * 5
            assert (await directory.client.get(READY)).status_code == 200
        database.close()
