"""Writing several model records together: a plan that is out of date is given up at once."""

import time
from typing import Any

import pytest

from documents.revision import ChangeKind
from service.database.client import Database
from service.models.store import LostRaceError, PlannedWrite, store_planned
from tests.conftest import TIMEOUT_SECONDS

CONTENT: dict[str, Any] = {
    "user_id": "ann",
    "base_model_id": None,
    "name": "N",
    "params": {},
    "meta": {},
    "access_grants": [],
    "is_active": True,
}


@pytest.mark.parametrize("first", ["taken", "there"])
async def test_an_id_that_was_taken_meanwhile_ends_the_whole_attempt(mongod: Database, first: str) -> None:
    # The server aborts the transaction then, and later operations in it fail with a transient error.
    there = PlannedWrite("there", ChangeKind.CREATE, None, CONTENT)
    await store_planned(mongod, [there, PlannedWrite("taken", ChangeKind.CREATE, None, CONTENT)], "ann")
    live = {"_id": "there", **CONTENT, "version": 1}
    stale = [
        PlannedWrite("taken", ChangeKind.IMPORT, None, CONTENT, version=2),
        PlannedWrite("there", ChangeKind.IMPORT, live, {**CONTENT, "name": "M"}),
    ]
    started = time.monotonic()
    with pytest.raises(LostRaceError):
        await store_planned(mongod, stale if first == "taken" else stale[::-1], "ann")
    assert time.monotonic() - started < TIMEOUT_SECONDS / 2
