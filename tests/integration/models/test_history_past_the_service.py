"""Histories of models that were changed or removed past the service."""

from typing import Any

import pytest
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from tests.support.directory import Directory
from tests.support.images import PNG

Raw = SyncDatabase[dict[str, Any]]
MODELS = "/api/models"
MODEL, HISTORY = f"{MODELS}/model", f"{MODELS}/model/history"


async def test_a_revision_is_shown_when_the_image_that_it_kept_was_removed(directory: Directory, raw: Raw) -> None:
    await directory.user("ann")
    meta = {"profile_image_url": f"data:image/png;base64,{PNG}"}
    await directory.post(f"{MODELS}/create", "ann", {"id": "m", "name": "M", "meta": meta})
    await directory.post(f"{MODEL}/update", "ann", {"id": "m", "meta": {**meta, "x": 1}})
    raw.models.update_one({"_id": "m"}, {"$unset": {"meta.profile_image_url": 1}})
    newest = (await directory.get(HISTORY, "ann", id="m")).json()["items"][0]
    shown = await directory.get(f"{HISTORY}/{newest['id']}", "ann")
    assert shown.status_code == 200
    restored = await directory.post(f"{HISTORY}/restore", "ann", {"id": "m", "revision": newest["id"]})
    assert restored.status_code == 200


@pytest.mark.parametrize(
    ("last", "owner", "other"), [("create", "ann", "bob"), ("toggle", "ann", "bob"), ("transfer", "bob", "ann")]
)
async def test_only_the_last_owner_gets_the_id_and_the_history_of_a_lost_model(
    directory: Directory, raw: Raw, last: str, owner: str, other: str
) -> None:
    await directory.user("root", role=Role.ADMIN)
    for user in ("ann", "bob"):
        await directory.user(user)
    secret = {"id": "m", "name": "M", "params": {"system": "secret"}}
    await directory.post(f"{MODELS}/create", "ann", secret)
    if last == "toggle":
        await directory.post(f"{MODEL}/toggle", "ann", id="m")
    if last == "transfer":
        body = {"from_user_id": "ann", "to_user_id": "bob", "ids": ["m"]}
        await directory.post("/api/users/transfer", "root", body)
    raw.models.delete_one({"_id": "m"})
    new = {"id": "m", "name": "New"}
    assert (await directory.post(f"{MODELS}/create", other, new)).status_code == 409
    assert (await directory.get(HISTORY, other, id="m")).status_code == 404
    assert (await directory.post(f"{MODELS}/create", owner, new)).status_code == 200
