"""A request with an idempotency key whose outcome is unknown can be sent again: it is found out what became of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
import pytest
from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorCollection
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from documents.user import Role
from service.database.client import Database
from service.errors import RunningError
from service.idempotency import store
from service.idempotency.key import key_hash
from service.models import bulk_change, operations, routes
from service.models.store import store_planned
from tests.conftest import DATABASE, TIMEOUT_SECONDS, Raw, settings_in
from tests.support.commands import until
from tests.support.directory import Directory, model
from tests.support.meanwhile import Lost, after

CREATE, STATE = "/api/models/create", "/api/models/bulk/state"
MODEL = {"id": "m", "name": "M"}


class Sent(NamedTuple):
    """A request whose work is one transaction."""

    path: str
    body: Any
    query: Mapping[str, str] = MappingProxyType({})

    async def by(self, directory: Directory, key: str) -> httpx.Response:
        return await directory.post(self.path, "root", self.body, once=key, **self.query)


each_in_one = pytest.mark.parametrize(
    "sent",
    [
        Sent(CREATE, MODEL),
        Sent("/api/models/import", {"models": [MODEL]}),
        Sent("/api/models/import", {"models": [MODEL]}, {"format": "modeldeck"}),
        Sent("/api/models/sync", {"models": [MODEL]}),
    ],
    ids=["create", "import", "file", "sync"],
)


@pytest.fixture
async def root(directory: Directory) -> Directory:
    await directory.user("root", role=Role.ADMIN)
    return directory


@each_in_one
async def test_a_commit_whose_answer_is_lost_is_found_out(
    root: Directory, raw: Raw, lost: Lost, monkeypatch: pytest.MonkeyPatch, sent: Sent
) -> None:
    lost(AsyncIOMotorClientSession, "commit_transaction", ServerSelectionTimeoutError("no primary"))
    assert (await sent.by(root, "k")).status_code == 504
    monkeypatch.undo()
    again = await sent.by(root, "k")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    if sent.path == CREATE:
        assert again.content == (await root.get("/api/models/model", "root", id="m")).content
    assert raw.revisions.count_documents({"model_id": "m"}) == 1


@each_in_one
async def test_what_was_not_committed_is_done_when_it_is_sent_again(
    root: Directory, raw: Raw, lost: Lost, monkeypatch: pytest.MonkeyPatch, sent: Sent
) -> None:
    lost(AsyncIOMotorCollection, "bulk_write", AutoReconnect("lost"))
    assert (await sent.by(root, "k")).status_code == 503
    monkeypatch.undo()
    again = await sent.by(root, "k")
    assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)
    assert raw.revisions.count_documents({"model_id": "m"}) == 1


async def test_a_request_that_took_too_long_leaves_its_key_free(
    mongod: Database, raw: Raw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless(*_: Any) -> None:
        await asyncio.Event().wait()

    settings = settings_in(tmp_path).model_copy(update={"request_timeout": 1.0})
    async with Directory.on(mongod, settings, new_app=True) as directory:
        await directory.user("ann")
        with monkeypatch.context() as hanging:
            hanging.setattr(operations, "require_principals", endless)
            assert (await directory.post(CREATE, "ann", MODEL, once="k")).status_code == 504
        # Freed in the background when the request had no time left for it.
        await asyncio.to_thread(until, lambda: not raw.idempotent_requests.count_documents({}), "the key is free")
        assert (await directory.post(CREATE, "ann", MODEL, once="k")).status_code == 200


async def test_an_attempt_that_vanished_blocks_its_key_for_a_time_only(root: Directory, raw: Raw) -> None:
    first = await root.post(CREATE, "root", MODEL, once="k")
    [record] = raw.idempotent_requests.find()
    claim = store.Claim(key_hash("root", "l"), record["request"], "root", by_admin=True)
    await root.post("/api/models/model/delete", "root", {"id": "m"})

    assert await store.claim(root.database, claim, 30.0) is None
    waiting = await root.post(CREATE, "root", MODEL, once="l")
    assert (waiting.status_code, waiting.headers["retry-after"]) == (409, "1")
    assert (await root.post(CREATE, "root", {**MODEL, "name": "N"}, once="l")).status_code == 422

    ended = raw.idempotent_requests.find_one({"_id": claim.key_hash}) or {}
    moments = {"attempt_ends_at": ended["attempt_ends_at"] - 2 * store.LIFETIME / 24}
    raw.idempotent_requests.update_one({"_id": claim.key_hash}, {"$set": moments})
    done = await root.post(CREATE, "root", MODEL, once="l")
    assert (done.status_code, first.status_code, "idempotent-replayed" in done.headers) == (200, 200, False)
    # Who vanished comes back, and has nothing to say any more.
    with pytest.raises(RunningError):
        await store.keep(root.database, claim, store.KeptAnswer(200, None, b"{}"))
    await store.give_up(root.database, claim)
    assert (await root.post(CREATE, "root", MODEL, once="l")).content == done.content


@each_in_one
async def test_an_attempt_that_was_taken_over_commits_nothing(
    root: Directory, raw: Raw, monkeypatch: pytest.MonkeyPatch, sent: Sent
) -> None:
    async def take_over() -> None:
        raw.idempotent_requests.update_one({}, {"$set": {"attempt": "0" * 32}})

    # Just before its transaction begins.
    monkeypatch.setattr(store, "_require_room", after(1, store._require_room, take_over))
    answer = await sent.by(root, "k")
    assert (answer.status_code, "still running" in answer.json()["detail"]) == (409, True)
    assert raw.models.count_documents({}) == raw.revisions.count_documents({}) == 0


@pytest.fixture
async def several(root: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Directory:
    """A directory with three models, of which a bulk change takes one at a time."""
    await root.load({"models": [model(f"m{number}", "root") for number in range(3)]}, tmp_path)
    monkeypatch.setattr(bulk_change, "BATCH", 1)
    return root


@pytest.mark.parametrize("selection", [{"filter": {}}, {"ids": ["m0", "m1", "m2"]}], ids=["filter", "ids"])
async def test_a_bulk_change_that_the_database_interrupted_goes_on(
    several: Directory, raw: Raw, monkeypatch: pytest.MonkeyPatch, selection: dict[str, Any]
) -> None:
    body = {**selection, "is_active": False}

    async def fail() -> None:
        raise AutoReconnect("lost")

    with monkeypatch.context() as failing:
        failing.setattr(bulk_change, "store_planned", after(2, store_planned, fail))
        first = await several.post(STATE, "root", body, once="k")
    assert (first.status_code, first.json()["counts"]["changed"]) == (200, 1)
    again = await several.post(STATE, "root", body, once="k")
    assert again.json()["counts"] == {"changed": 1, "unchanged": 2, "not_found": 0, "failed": 0}
    assert again.json()["complete"]
    assert (await several.post(STATE, "root", body, once="k")).content == again.content
    assert [raw.models.count_documents({"is_active": False, "version": 2})] == [3]


async def test_a_bulk_change_whose_answer_can_not_be_stored_is_answered_and_can_be_repeated(
    several: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"filter": {}, "is_active": False}

    async def unavailable(*_: Any) -> None:
        raise ServerSelectionTimeoutError("no primary")

    with monkeypatch.context() as failing:
        failing.setattr(store, "keep", unavailable)
        assert (await several.post(STATE, "root", body, once="k")).json()["counts"]["changed"] == 3
    assert (await several.post(STATE, "root", body, once="k")).json()["counts"]["unchanged"] == 3


@pytest.fixture
async def other_process(root: Directory, mongo_uri: str, tmp_path: Path) -> AsyncIterator[Directory]:
    """The same directory as another process serves it, which shares nothing with the first but the database."""
    database = Database.connect(mongo_uri, DATABASE, TIMEOUT_SECONDS)
    await database.open()
    async with Directory.on(database, settings_in(tmp_path), new_app=True) as directory:
        directory._keys = root._keys
        yield directory
    database.close()


async def test_a_request_that_is_sent_to_two_processes_is_carried_out_once(
    root: Directory, other_process: Directory, raw: Raw
) -> None:
    both = [process.post(CREATE, "root", MODEL, once="k") for process in (root, other_process)]
    answers = await asyncio.gather(*both)
    assert sorted(answer.status_code for answer in answers) in ([200, 200], [200, 409])
    done = [await process.post(CREATE, "root", MODEL, once="k") for process in (root, other_process)]
    assert {answer.status_code for answer in done} == {200}
    assert len({answer.content for answer in [*done, *answers] if answer.status_code == 200}) == 1
    assert raw.revisions.count_documents({}) == 1


async def test_what_a_created_model_is_answered_with_is_stored_with_it(
    root: Directory, raw: Raw, lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is made within the transaction, so that it can't fail afterwards."""
    lost(routes, "answer_with_model", AutoReconnect("lost"))
    assert (await root.post(CREATE, "root", MODEL, once="k")).status_code == 503
    assert raw.models.count_documents({}) == 0
    monkeypatch.undo()
    assert (await root.post(CREATE, "root", MODEL, once="k")).status_code == 200
