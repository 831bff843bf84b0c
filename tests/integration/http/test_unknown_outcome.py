"""A change whose outcome is unknown is never answered with an error that invites a retry."""

from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorCollection
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError
from pymongo.synchronous.database import Database as SyncDatabase

from documents.user import Role
from service.models import routes
from tests.support.directory import Directory
from tests.support.meanwhile import Lost

CREATE, SYNC = "/api/models/create", "/api/models/sync"
MODEL = {"id": "m", "name": "M"}
KEYS, REVOKE = "/api/keys/create", "/api/keys/revoke"
UNKNOWN = "Whether the change was made is not known."

Raw = SyncDatabase[dict[str, Any]]


async def test_a_change_whose_answer_is_lost(directory: Directory, raw: Raw, lost: Lost) -> None:
    await directory.user("ann")
    made = (await directory.post(KEYS, "ann", {"name": "old"})).json()
    # The driver does not retry a write that may affect several records.
    lost(AsyncIOMotorCollection, "delete_many", AutoReconnect("lost"))
    answer = await directory.post(REVOKE, "ann", {"id": made["id"]})
    assert raw.api_keys.count_documents({"_id": made["id"]}) == 0
    assert (answer.status_code, UNKNOWN in answer.json()["detail"]) == (504, True)


async def test_a_commit_whose_answer_is_lost_for_good(directory: Directory, raw: Raw, lost: Lost) -> None:
    await directory.user("ann")
    lost(AsyncIOMotorClientSession, "commit_transaction", ServerSelectionTimeoutError("no primary"))
    answer = await directory.post(CREATE, "ann", MODEL)
    assert raw.models.count_documents({"_id": "m"}) == 1
    assert (answer.status_code, UNKNOWN in answer.json()["detail"]) == (504, True)


async def test_a_change_that_is_made_and_can_not_be_shown(directory: Directory, raw: Raw, lost: Lost) -> None:
    await directory.user("ann")
    lost(routes, "answer_with_model", AutoReconnect("lost"))
    answer = await directory.post(CREATE, "ann", MODEL)
    assert raw.models.count_documents({"_id": "m"}) == 1
    assert (answer.status_code, UNKNOWN in answer.json()["detail"]) == (504, True)


@pytest.mark.parametrize(
    ("path", "body"),
    # Changes that must be serialized write to a lock first.
    [(CREATE, MODEL), (SYNC, {"models": [MODEL]})],
)
async def test_what_fails_before_it_is_committed_was_not_done(
    directory: Directory, raw: Raw, lost: Lost, path: str, body: dict[str, Any]
) -> None:
    await directory.user("root", role=Role.ADMIN)
    lost(AsyncIOMotorCollection, "bulk_write", AutoReconnect("lost"))
    answer = await directory.post(path, "root", body)
    assert raw.models.count_documents({}) == 0
    assert (answer.status_code, UNKNOWN in answer.json()["detail"]) == (503, False)


async def test_a_commit_of_nothing_changes_nothing(directory: Directory, lost: Lost) -> None:
    await directory.user("root", role=Role.ADMIN)
    lost(AsyncIOMotorClientSession, "commit_transaction", ServerSelectionTimeoutError("no primary"))
    answer = await directory.post(SYNC, "root", {"models": [MODEL], "dry_run": True})
    assert (answer.status_code, UNKNOWN in answer.json()["detail"]) == (503, False)


async def test_what_only_reads_can_be_tried_again(directory: Directory, lost: Lost) -> None:
    await directory.user("ann")
    lost(directory.database, "aggregate", AutoReconnect("lost"))
    answer = await directory.get("/api/models/model", "ann", id="m")
    assert answer.status_code == 503
