"""The version menu of Open WebUI: list, open, restore; deletion is refused."""

from typing import Any

import pytest

from tests.conftest import Raw
from tests.support.directory import Directory, grant

V1 = "/api/v1/models"
M = {"id": "m", "name": "One", "base_model_id": "gpt", "params": {"system": "first"}, "meta": {"description": "d"}}


@pytest.fixture
async def changed(directory: Directory) -> Directory:
    """A model of ann's in its fourth version."""
    for user in ("ann", "bob", "eve"):
        await directory.user(user)
    for path, body in (
        ("/create", {**M, "access_grants": [grant("user:bob")]}),
        ("/model/update", {**M, "name": "Two", "params": {"system": "second"}, "commit_message": "why"}),
        ("/model/toggle", None),
        ("/model/update", {**M, "meta": {"description": "e", "hidden": True}}),
    ):
        query = {"id": "m"} if body is None else {}
        assert (await directory.post(V1 + path, "ann", body, **query)).status_code == 200
    return directory


async def _history(directory: Directory, **parameters: Any) -> list[dict[str, Any]]:
    answer = await directory.get(f"{V1}/model/history", "ann", id="m", **parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_the_menu_lists_versions(changed: Directory) -> None:
    entries = await _history(changed)
    current = (await changed.get(f"{V1}/model", "ann", id="m")).json()
    assert entries[0]["id"] == current["version_id"]
    assert [entry["parent_id"] for entry in entries] == [*(entry["id"] for entry in entries[1:]), None]
    messages = [entry["commit_message"] for entry in entries]
    assert messages == ["update: name, params, meta", "toggle: is_active", "update: name, params", "create"]
    for entry in entries:
        assert entry.keys() == {
            *("id", "model_id", "parent_id", "user_id", "commit_message", "created_at", "user"),
        }
        assert (entry["model_id"], entry["user_id"]) == ("m", "ann")
        assert entry["user"] == {"id": "ann", "name": "Name of ann"}
        assert isinstance(entry["created_at"], int)


async def test_a_page_has_twenty(changed: Directory) -> None:
    for number in range(30):
        await changed.post("/api/models/model/update", "ann", {"id": "m", "name": f"Name {number}"})
    first, second, third = [await _history(changed, page=page) for page in (1, 2, 3)]
    assert (len(first), len(second), third) == (20, 14, [])
    assert first[-1]["parent_id"] == second[0]["id"]


async def test_a_version_is_opened_with_its_snapshot(changed: Directory) -> None:
    second = (await _history(changed))[2]
    opened = (await changed.get(f"{V1}/model/history/{second['id']}", "ann", id="m")).json()
    snapshot = {"name": "Two", "base_model_id": "gpt", "params": {"system": "second"}, "meta": {"description": "d"}}
    assert opened == {**second, "snapshot": snapshot}


async def test_a_version_is_restored_as_a_new_one(changed: Directory) -> None:
    first = (await _history(changed))[-1]
    body = {"version_id": first["id"]}
    restored = (await changed.post(f"{V1}/model/update/version", "ann", body, id="m")).json()
    assert (restored["name"], restored["params"], restored["version"]) == ("One", {"system": "first"}, 5)
    # Whether a menu shows it, and whether it is active, belongs to the model as it is.
    assert restored["meta"]["description"] == "d"
    assert (restored["meta"]["hidden"], restored["is_active"]) == (True, False)
    entries = await _history(changed)
    assert (len(entries), entries[0]["id"]) == (5, restored["version_id"])


async def test_history_stays(changed: Directory, raw: Raw) -> None:
    before = list(raw.revisions.find())
    headers = {"Authorization": f"Bearer {await changed.key('ann')}"}
    for entry in await _history(changed):
        answer = await changed.client.delete(f"{V1}/model/history/{entry['id']}?id=m", headers=headers)
        assert (answer.status_code, answer.json()["detail"].split(" here")[0]) == (403, "History can't be deleted")
    assert list(raw.revisions.find()) == before


async def test_a_version_belongs_to_one_model_and_those_who_may_change_it(changed: Directory) -> None:
    assert (await changed.post(V1 + "/create", "eve", {"id": "own", "name": "Own"})).status_code == 200
    [*_, first] = await _history(changed)
    path, body = f"{V1}/model/history/{first['id']}", {"version_id": first["id"]}
    for user, model_id, status in (("bob", "m", 403), ("eve", "m", 404), ("eve", "own", 404), ("ann", "own", 404)):
        for answer in (
            await changed.get(path, user, id=model_id),
            await changed.post(f"{V1}/model/update/version", user, body, id=model_id),
        ):
            assert (answer.status_code, isinstance(answer.json()["detail"], str)) == (status, True), (user, model_id)
    assert (await changed.get(f"{V1}/model", "ann", id="m")).json()["version"] == 4


async def test_what_was_written_past_the_service_has_no_version(changed: Directory, raw: Raw) -> None:
    raw.models.update_one({"_id": "m"}, {"$inc": {"version": 7}})
    assert (await changed.get(f"{V1}/model", "ann", id="m")).json()["version_id"] is None


async def test_of_an_earlier_model_with_this_id_nothing_is_shown(changed: Directory) -> None:
    await changed.post(V1 + "/model/delete", "ann", {"id": "m"})
    await changed.post(V1 + "/create", "ann", M)
    [entry] = await _history(changed)
    assert (entry["commit_message"], entry["parent_id"]) == ("create", None)
