"""The history of a model over REST."""

from pathlib import Path
from typing import Any

import pytest

from documents.user import Role
from service.models.history.revisions import differences
from tests.support.directory import Directory, grant, model

CREATE, MODEL = "/api/models/create", "/api/models/model"
UPDATE, DELETE, HISTORY = f"{MODEL}/update", f"{MODEL}/delete", f"{MODEL}/history"
RESTORE, DIFF = f"{HISTORY}/restore", f"{HISTORY}/diff"


async def _make_history(directory: Directory) -> None:
    """Fill a directory with one model that has three versions."""
    for user in ("owner", "writer", "reader", "stranger"):
        await directory.user(user)
    await directory.user("admin", role=Role.ADMIN)
    grants = [grant("user:reader"), grant("user:writer", "write")]
    body = {"id": "m", "name": "One", "params": {"system": "first", "a/b": 1}, "access_grants": grants}
    await directory.post(CREATE, "owner", body)
    await directory.post(UPDATE, "writer", {"id": "m", "name": "Two", "params": {"system": "second"}})
    await directory.post(UPDATE, "owner", {"id": "m", "name": "Three", "is_active": False})


async def _history(directory: Directory, user: str = "owner", **parameters: Any) -> dict[str, Any]:
    answer = await directory.get(HISTORY, user, id="m", **parameters)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_changes_are_listed_newest_first(directory: Directory) -> None:
    await _make_history(directory)
    page = await _history(directory, "writer")
    reported = [(item["version"], item["change"], item["by"], item["fields"]) for item in page["items"]]
    assert page["total"] == 3
    assert reported[:2] == [(3, "update", "owner", ["name", "is_active"]), (2, "update", "writer", ["name", "params"])]
    assert reported[2][:3] == (1, "create", "owner")
    second = await _history(directory, page=2, page_size=2)
    assert (second["items"], second["total"]) == (page["items"][2:], 3)
    assert (await _history(directory, page=10**20))["items"] == []


async def test_one_revision_shows_before_and_after(directory: Directory) -> None:
    await _make_history(directory)
    newest = (await _history(directory))["items"][0]
    revision = (await directory.get(f"{HISTORY}/{newest['id']}", "admin")).json()
    assert (revision["before"]["name"], revision["after"]["name"]) == ("Two", "Three")


@pytest.mark.parametrize(("user", "status"), [("reader", 403), ("stranger", 404)])
async def test_history_is_for_those_who_may_change_the_model(directory: Directory, user: str, status: int) -> None:
    await _make_history(directory)
    newest = (await _history(directory))["items"][0]
    answers = [
        await directory.get(HISTORY, user, id="m"),
        await directory.get(f"{HISTORY}/{newest['id']}", user),
        await directory.get(DIFF, user, id="m", earlier=1, later=2),
        await directory.post(RESTORE, user, {"id": "m", "revision": newest["id"]}),
    ]
    assert {answer.status_code for answer in answers} == {status}
    absent = await directory.get(f"{HISTORY}/{'0' * 32}", "stranger")
    if user == "stranger":
        assert answers[1].content == absent.content
    assert not any("secret" in answer.text or "first" in answer.text for answer in answers)


async def test_a_revision_is_restored_as_a_new_version_without_its_grants(directory: Directory) -> None:
    await _make_history(directory)
    before = (await directory.get(MODEL, "owner", id="m")).json()
    first = (await _history(directory))["items"][-1]

    restored = (await directory.post(RESTORE, "writer", {"id": "m", "revision": first["id"]})).json()

    assert (restored["version"], restored["name"], restored["is_active"]) == (4, "One", True)
    assert restored["params"] == {"system": "first", "a/b": 1}
    assert restored["access_grants"] == before["access_grants"]
    assert (await _history(directory))["items"][0]["change"] == "restore"
    stale = await directory.post(RESTORE, "owner", {"id": "m", "revision": first["id"]}, if_match='"3"')
    assert stale.status_code == 412


async def test_two_versions_are_compared_in_one_call(directory: Directory) -> None:
    await _make_history(directory)
    answer = await directory.get(DIFF, "owner", id="m", earlier=1, later=3)
    assert answer.json() == [
        {"path": "/name", "before": "One", "after": "Three"},
        {"path": "/params/system", "before": "first", "after": "second"},
        {"path": "/params/a~1b", "before": 1},
        {"path": "/is_active", "before": True, "after": False},
    ]
    assert (await directory.get(DIFF, "owner", id="m", earlier=1, later=9)).status_code == 404
    assert (await directory.get(DIFF, "owner", id="m", earlier=0, later=1)).status_code == 422


def test_differences_tell_types_and_order_apart() -> None:
    assert [found["path"] for found in differences({"a": 1, "b": [1, 2]}, {"a": True, "b": [2, 1]})] == ["/a", "/b"]
    assert list(differences({"a": {"b": 1.0}}, {"a": {"b": 1.0}})) == []


async def test_a_new_model_of_an_old_id_does_not_show_what_the_old_one_said(
    directory: Directory, tmp_path: Path
) -> None:
    await _make_history(directory)
    old = (await _history(directory))["items"]
    await directory.post(DELETE, "owner", {"id": "m"})
    assert (await directory.get(HISTORY, "owner", id="m")).status_code == 404

    assert (await directory.post(CREATE, "writer", {"id": "m", "name": "New"})).status_code == 409
    await directory.post(CREATE, "admin", {"id": "m", "name": "New"})

    page = await _history(directory, "admin")
    assert [(item["change"], item["version"]) for item in page["items"]] == [("create", 5)]
    assert (await directory.get(f"{HISTORY}/{old[0]['id']}", "admin")).status_code == 404
    assert (await directory.get(DIFF, "admin", id="m", earlier=1, later=5)).status_code == 404
    assert (await directory.post(RESTORE, "admin", {"id": "m", "revision": old[0]["id"]})).status_code == 404

    await directory.post(DELETE, "admin", {"id": "m"})
    await directory.load({"models": [model("m", "reader")]}, tmp_path)
    assert (await directory.get(MODEL, "reader", id="m")).json()["version"] == 7
    assert (await directory.post(UPDATE, "reader", {"id": "m", "name": "Imported"})).json()["version"] == 8


async def test_history_can_not_be_changed(directory: Directory) -> None:
    await _make_history(directory)
    newest = (await _history(directory))["items"][0]
    headers = {"Authorization": f"Bearer {await directory.key('admin')}"}
    for method in ("DELETE", "PUT", "PATCH", "POST"):
        answer = await directory.client.request(method, f"{HISTORY}/{newest['id']}", headers=headers, json={})
        assert answer.status_code == 405


async def test_what_is_no_revision_is_not_looked_for(directory: Directory) -> None:
    await _make_history(directory)
    read = await directory.get(RESTORE, "owner")
    assert (read.status_code, read.headers["Allow"]) == (405, "POST")
    for revision in ("0" * 32, "0" * 31, "Z" * 32):
        assert (await directory.get(f"{HISTORY}/{revision}", "owner")).status_code == 404
    for later, status in ((2**63 - 2, 404), (2**63 - 1, 422)):
        assert (await directory.get(DIFF, "owner", id="m", earlier=1, later=later)).status_code == status


async def test_an_import_is_a_change_too(directory: Directory, tmp_path: Path) -> None:
    await directory.user("owner")
    for params in ({"system": "first"}, {"system": "second"}, {"system": "second"}):
        await directory.load({"models": [model("m", "owner", params=params)]}, tmp_path)
    reported = [(item["version"], item["change"], item["by"]) for item in (await _history(directory))["items"]]
    assert reported == [(2, "import", None), (1, "create", None)]
    differences = await directory.get(DIFF, "owner", id="m", earlier=1, later=2)
    assert differences.json() == [{"path": "/params/system", "before": "first", "after": "second"}]
