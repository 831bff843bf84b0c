"""Old revisions are removed after a time; what access rests on, and the versions since then, stay."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from service.clock import now
from service.models.history import retention
from service.models.history.retention import PEOPLE_CHANGES, HistoryUpkeep, count_removable, remove_old
from service.observability.metrics import Metrics
from tests.support.commands import CommandLine
from tests.support.directory import Directory, model
from tests.support.telemetry import metric_value

Raw = SyncDatabase[dict[str, Any]]

MODELS = "/api/models"
MODEL, HISTORY = f"{MODELS}/model", f"{MODELS}/model/history"
DAYS = 30
CUTOFF = now() - timedelta(days=DAYS)


def _age(raw: Raw, days: dict[tuple[str, int], int]) -> None:
    for (model_id, version), age in days.items():
        moment = {"$set": {"at": now() - timedelta(days=age)}}
        assert raw.revisions.update_one({"model_id": model_id, "version": version}, moment).matched_count == 1


def _versions(raw: Raw, model_id: str) -> list[int]:
    return [found["version"] for found in raw.revisions.find({"model_id": model_id}).sort("version")]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "READ_BATCH", 2)
    monkeypatch.setattr(retention, "REMOVAL_BATCH", 2)
    monkeypatch.setattr(retention, "PAUSE_SECONDS", 0)


@pytest.fixture
async def changed(directory: Directory) -> Directory:
    """A directory with a model of six versions."""
    await directory.user("root", role=Role.ADMIN)
    await directory.user("ann")
    await directory.post(f"{MODELS}/create", "root", {"id": "m", "name": "1"})
    for name in "23456":
        await directory.post(f"{MODEL}/update", "root", {"id": "m", "name": name})
    return directory


async def test_the_newest_old_revision_and_all_later_ones_stay(changed: Directory, raw: Raw) -> None:
    _age(raw, {("m", version): 40 for version in range(1, 6)})
    await changed.post(f"{MODELS}/create", "root", {"id": "once", "name": "Never changed"})
    _age(raw, {("once", 1): 400})
    raw.revisions.insert_one({"_id": "foreign", "at": now() - timedelta(days=500), "version": "one"})
    old = (await changed.get(HISTORY, "root", id="m")).json()["items"]

    assert await count_removable(changed.database, CUTOFF) == 4
    assert await remove_old(changed.database, CUTOFF) == 4
    assert await remove_old(changed.database, CUTOFF) == 0

    assert (_versions(raw, "m"), _versions(raw, "once")) == ([5, 6], [1])
    page = (await changed.get(HISTORY, "root", id="m")).json()
    assert (page["items"], page["total"]) == (old[:2], 2)
    shown = (await changed.get(f"{HISTORY}/{old[1]['id']}", "root")).json()
    assert (shown["before"]["name"], shown["after"]["name"]) == ("4", "5")
    differing = await changed.get(f"{HISTORY}/diff", "root", id="m", earlier=4, later=6)
    assert differing.json() == [{"path": "/name", "before": "4", "after": "6"}]
    gone = await changed.get(f"{HISTORY}/diff", "root", id="m", earlier=3, later=6)
    assert (gone.status_code, gone.json()["detail"]) == (404, "Version 3 of this model is not recorded, or no longer.")
    for revision in (old[-1]["id"], old[2]["id"]):
        restored = await changed.post(f"{HISTORY}/restore", "root", {"id": "m", "revision": revision})
        assert (restored.status_code, restored.json()["detail"].split(",")[0]) == (404, "There is no such revision")
    restored = await changed.post(f"{HISTORY}/restore", "root", {"id": "m", "revision": old[1]["id"]})
    assert restored.json()["name"] == "5"


async def test_the_id_of_a_deleted_model_stays_its_owners_and_its_past_hidden(changed: Directory, raw: Raw) -> None:
    await changed.post(f"{MODEL}/delete", "root", {"id": "m"})
    _age(raw, {("m", version): 100 - version for version in range(1, 8)})
    await remove_old(changed.database, CUTOFF)
    assert _versions(raw, "m") == [7]
    assert (await changed.post(f"{MODELS}/create", "ann", {"id": "m", "name": "Mine"})).status_code == 409

    again = await changed.post(f"{MODELS}/create", "root", {"id": "m", "name": "Again"})
    assert again.json()["version"] == 8
    await remove_old(changed.database, CUTOFF)
    assert _versions(raw, "m") == [7, 8]
    assert (await changed.get(HISTORY, "root", id="m")).json()["total"] == 1


async def test_the_service_removes_what_became_old_since_the_last_time(changed: Directory, raw: Raw) -> None:
    metrics = Metrics()
    upkeep = HistoryUpkeep(changed.database, DAYS, metrics)
    _age(raw, {("m", 1): 60, ("m", 2): 50})
    await upkeep.work()
    assert _versions(raw, "m") == [2, 3, 4, 5, 6]
    forever = HistoryUpkeep(changed.database, None, metrics)
    _age(raw, {("m", version): 31 for version in range(3, 7)})
    await forever.work()
    assert _versions(raw, "m") == [2, 3, 4, 5, 6]
    changed.app.state.metrics = metrics
    size = metric_value(await changed.get("/metrics"), "modeldeck_history_bytes")
    assert size is not None
    assert size > 0


async def test_the_command_says_what_it_would_remove_and_removes_it(
    mongo_uri: str, changed: Directory, raw: Raw, tmp_path: Path
) -> None:
    await changed.load({"models": [model("n", "root")]}, tmp_path)
    _age(raw, {("m", version): 40 for version in range(1, 4)})
    shell = CommandLine(tmp_path, mongodb_uri=mongo_uri, database=raw.name)
    assert shell.ok("history", "prune", "--days", "30", "--dry-run") == (
        "2 revisions and 0 changes of people would be removed"
    )
    assert shell.ok("history", "prune", "--days", "30") == "2 revisions and 0 changes of people were removed"
    assert _versions(raw, "m") == [3, 4, 5, 6]


async def test_of_people_who_were_deleted_before_nothing_stays(changed: Directory, raw: Raw) -> None:
    for user_id in ("gone", "back", "here"):
        new = {"id": user_id, "email": f"{user_id}@x.org", "name": "N"}
        await changed.post("/api/users/create", "root", new)
        await changed.post("/api/users/update", "root", {"id": user_id, "name": "M"})
        if user_id != "here":
            await changed.post("/api/users/delete", "root", {"id": user_id})
    await changed.post("/api/groups/create", "root", {"id": "here", "name": "N"})
    raw.people_changes.update_many({}, {"$set": {"at": now() - timedelta(days=40)}})
    await changed.post("/api/users/create", "root", {"id": "back", "email": "back@x.org", "name": "N"})

    assert await count_removable(changed.database, CUTOFF, of=PEOPLE_CHANGES) == 7
    assert await remove_old(changed.database, CUTOFF, of=PEOPLE_CHANGES) == 7
    assert await remove_old(changed.database, CUTOFF, of=PEOPLE_CHANGES) == 0
    kept = {(one["principal_type"], one["principal_id"], one["number"]) for one in raw.people_changes.find()}
    assert kept == {("user", "here", 2), ("user", "back", 4), ("group", "here", 1)}
    assert (await changed.get("/api/users/history", "root", id="gone")).status_code == 404
