"""Too many, too large or too slow requests are refused with a clear response, and the service keeps working."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from documents.user import Role
from indexes.ensure import ensure
from service.database.client import Database
from service.embedded_mongo.server import EmbeddedMongo
from service.http.json_body import MAX_BODY_BYTES
from service.importing.schemas import MAX_IMPORT_BYTES
from service.middleware.timeout import MAX_READ_AHEAD_BYTES
from service.settings import Settings
from tests.conftest import settings_in
from tests.support.asgi_exchange import Exchange
from tests.support.directory import LIST, Directory

CREATE, IMPORT = "/api/models/create", "/api/models/import"
# How late the last response may be when tests run in parallel; half a second is promised, and measured by
# `python -m faults O2` on an otherwise idle machine.
LATE_SECONDS = 3


# --- Bodies


@pytest.fixture
async def ann(directory: Directory) -> dict[str, str]:
    """The Authorization header of an admin."""
    await directory.user("ann", role=Role.ADMIN)
    return {"Authorization": f"Bearer {await directory.key('ann')}"}


@pytest.mark.parametrize(("path", "limit"), [(CREATE, MAX_BODY_BYTES), (IMPORT, MAX_IMPORT_BYTES)])
async def test_a_body_that_is_announced_too_large_is_not_read(
    directory: Directory, ann: dict[str, str], path: str, limit: int
) -> None:
    exchange = Exchange(path, "POST", {**ann, "Content-Length": str(limit + 1)}, parts=[b"{" * 50_000] * 100)
    answered = await exchange.with_app(directory.app)
    assert (answered.status, answered.response_headers["content-type"]) == (413, "application/problem+json")
    assert f"{limit:,} bytes" in answered.body.decode()
    assert 50_000 * (exchange._taken - 1) <= MAX_READ_AHEAD_BYTES


@pytest.mark.parametrize(("over", "status"), [(0, 200), (1, 413)])
async def test_a_body_in_parts_is_refused_at_its_first_byte_too_many(
    directory: Directory, ann: dict[str, str], over: int, status: int
) -> None:
    body = b'{"id": "m", "name": "M"}'
    blanks = b" " * (MAX_BODY_BYTES - len(body) + over)
    parts = [body, *(blanks[at : at + 10_000] for at in range(0, len(blanks), 10_000))]
    assert (await Exchange(CREATE, "POST", ann, parts=parts).with_app(directory.app)).status == status


# --- A database that hangs


class SuspendableService:
    """A service whose mongod can be suspended and resumed."""

    def __init__(self, directory: Directory, pid: int) -> None:
        self.directory = directory
        self._pid = pid

    def suspend(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    async def timed(self, method: str, path: str, body: Any = None) -> tuple[int, float, str]:
        """Send a request; return the status, the seconds until the response, and its text."""
        headers = {"Authorization": f"Bearer {await self.directory.key('ann')}"}
        started = time.monotonic()
        answer = await self.directory.client.request(method, path, json=body, headers=headers)
        return answer.status_code, time.monotonic() - started, answer.text


@pytest.fixture
async def suspendable(tmp_path: Path) -> AsyncIterator[SuspendableService]:
    embedded = EmbeddedMongo(tmp_path / "data")
    with embedded.lease():
        uri = embedded.uri("modeldeck")
        settings = Settings(
            _env_file=None, mongodb_uri=SecretStr(uri), data_dir=tmp_path, request_timeout=6, list_timeout=1
        )
        database = Database.connect(uri, "modeldeck", settings.request_timeout)
        async with Directory.on(database, settings) as directory:
            await ensure(database)
            await directory.user("ann", role=Role.ADMIN)
            await directory.key("ann")
            suspendable = SuspendableService(directory, embedded.member.pid())
            try:
                yield suspendable
            finally:
                suspendable.resume()
        database.close()


@pytest.mark.faults
async def test_everybody_has_an_answer_by_the_deadline_and_all_goes_on_afterwards(
    suspendable: SuspendableService,
) -> None:
    body = {"id": "m", "name": "M"}
    assert (await suspendable.timed("GET", LIST))[0] == 200
    suspendable.suspend()
    lists = [suspendable.timed("GET", LIST) for _ in range(20)]
    changes = [suspendable.timed("POST", CREATE, {**body, "id": f"m{number}"}) for number in range(20)]
    answers = await asyncio.gather(*lists, *changes)
    for status, seconds, text in answers[:20]:
        assert status in {503, 504} and seconds < 1 + LATE_SECONDS, text
    for status, seconds, text in answers[20:]:
        assert status in {503, 504} and seconds < 6 + LATE_SECONDS, text
    suspendable.resume()
    assert (await suspendable.timed("POST", CREATE, body))[0] == 200
    assert (await suspendable.timed("GET", LIST))[0] == 200


# --- What is shown


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
@pytest.mark.parametrize(("docs", "status"), [(None, 404), (False, 404), (True, 200)])
async def test_the_document_is_shown_only_where_that_is_wanted(
    mongod: Database, tmp_path: Path, path: str, docs: bool | None, status: int
) -> None:
    settings = settings_in(tmp_path).model_copy(update={"docs": docs})
    async with Directory.on(mongod, settings) as directory:
        assert (await directory.client.get(path)).status_code == status


async def test_every_answer_has_the_headers_that_keep_it_harmless(
    directory: Directory, ann: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError

    answers = [await directory.client.get(path, headers=ann) for path in (LIST, "/api/none", "/health/live")]
    answers.append(await directory.client.get(LIST))
    monkeypatch.setattr("service.listing.page_reading.list_match", fails)
    answers.append(await directory.client.get(LIST, headers=ann))
    assert [answer.status_code for answer in answers] == [200, 404, 200, 401, 500]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
