"""The health probes with a database that answers, hangs, or is down."""

import os
import signal
import time
from pathlib import Path

from pydantic import SecretStr

from service.database.client import Database
from service.embedded_mongo.server import EmbeddedMongo
from service.settings import Settings
from tests.support.directory import Directory

LIVE, READY = "/health/live", "/health/ready"


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
