"""What a change adds to the history: little, whatever the size of the record."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bson import Int64
from pymongo.database import Database as SyncDatabase

from documents.user import Role
from tests.conftest import Commands
from tests.support.directory import Directory, grant

Raw = SyncDatabase[dict[str, Any]]

MODELS = "/api/models"
MODEL, HISTORY = f"{MODELS}/model", f"{MODELS}/model/history"
IMAGE = "data:image/png;base64," + b64encode(b"\x89PNG\r\n\x1a\n" + bytes(200_000)).decode()
META = {"description": "Large", "profile_image_url": IMAGE, "tags": [{"name": "a"}]}
LARGE = {"id": "m", "name": "Large", "params": {"system": "x" * 200_000}, "meta": META}
MOST_BYTES = 5_000

CHANGES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "toggle": (f"{MODEL}/toggle", None, {"id": "m"}),
    "rename": (f"{MODEL}/update", {"id": "m", "name": "Other"}, {}),
    "access": (f"{MODEL}/access/update", {"id": "m", "access_grants": [grant("user:bob")]}, {}),
    "meta": (f"{MODEL}/update", {"id": "m", "meta": {**META, "description": "Other"}}, {}),
    "transfer": ("/api/users/transfer", {"from_user_id": "root", "to_user_id": "bob", "ids": ["m"]}, {}),
    "bulk state": (f"{MODELS}/bulk/state", {"ids": ["m"], "is_active": False}, {}),
    "bulk access": (f"{MODELS}/bulk/access", {"ids": ["m"], "add": [grant("user:bob")]}, {}),
    "import": (f"{MODELS}/import", {"models": [{"id": "m", "name": "Other"}]}, {}),
}


@pytest.fixture
async def large(directory: Directory) -> Directory:
    await directory.user("root", role=Role.ADMIN)
    await directory.user("bob")
    assert (await directory.post(f"{MODELS}/create", "root", LARGE)).status_code == 200
    return directory


def _newest(raw: Raw) -> dict[str, Any]:
    stages: list[dict[str, Any]] = [
        {"$sort": {"version": -1}},
        {"$limit": 1},
        {"$set": {"size": {"$bsonSize": "$$ROOT"}}},
    ]
    [found] = raw.revisions.aggregate(stages)
    return found


@pytest.mark.parametrize("change", CHANGES)
async def test_a_small_change_of_a_large_record_adds_little(large: Directory, raw: Raw, change: str) -> None:
    before = raw.models.find_one({"_id": "m"}) or {}
    path, body, parameters = CHANGES[change]

    answer = await large.post(path, "root", body, **parameters)

    assert answer.status_code == 200, answer.text
    stored = _newest(raw)
    assert (stored["version"], stored["size"] < MOST_BYTES) == (2, True)
    # Shown whole all the same, names in their order.
    shown = (await large.get(f"{HISTORY}/{stored['_id']}", "root")).json()
    after = raw.models.find_one({"_id": "m"}) or {}
    for side, record in (("before", before), ("after", after)):
        assert shown[side] == {name: record[name] for name in shown[side]}
        assert list(shown[side]["meta"]) == list(META)
        assert len(shown[side]) == 7


async def test_an_update_sends_only_what_it_changes(large: Directory, commands: Commands) -> None:
    commands.clear()
    await large.post(f"{MODEL}/toggle", "root", id="m")
    [update] = [body for name, body in commands.on("models") if name == "update"]
    assert update["updates"][0]["u"]["$set"].keys() == {"is_active", "version", "created_at", "updated_at", "keys"}


def _whole(raw: Raw, version: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Give the revision of a version the form that earlier versions of the service wrote."""
    form = {"$set": {"before": before, "after": after}, "$unset": {"fields": 1, "image_kept": 1}}
    assert raw.revisions.update_one({"model_id": "m", "version": version}, form).modified_count == 1


async def test_a_page_reads_no_content_whatever_the_form_of_the_revisions(large: Directory, raw: Raw) -> None:
    contents = [raw.models.find_one({"_id": "m"}) or {}]
    for body in ({"params": {"a": 1, "b": 2}}, {"params": {"b": 2, "a": 1}}, {"params": {"b": 2, "a": 1.0}}):
        await large.post(f"{MODEL}/update", "root", {"id": "m", "base_model_id": None, **body})
        contents.append(raw.models.find_one({"_id": "m"}) or {})
    new = (await large.get(HISTORY, "root", id="m")).json()
    fields = contents[0].keys() & new["items"][-1]["fields"]
    whole = [{name: content[name] for name in fields} for content in contents]
    for version in (2, 3, 4):
        _whole(raw, version, whole[version - 2], whole[version - 1])
    old = (await large.get(HISTORY, "root", id="m")).json()
    assert old == new
    assert [item["fields"] for item in new["items"][:-1]] == [["params"]] * 3


async def test_what_is_imported_of_a_model_is_small_too(large: Directory, raw: Raw, tmp_path: Path) -> None:
    model = {**LARGE, "user_id": "root", "meta": {**META, "description": "Imported"}, "is_active": False}
    await large.load({"models": [model]}, tmp_path)
    stored = _newest(raw)
    assert (stored["change"], stored["fields"], stored["image_kept"]) == ("import", ["meta", "is_active"], True)
    assert stored["size"] < MOST_BYTES


def _keys_examined(explained: Any) -> int:
    """Return how many keys of indexes all parts of a plan examined together."""
    if isinstance(explained, list):
        return sum(map(_keys_examined, explained))
    if not isinstance(explained, dict):
        return 0
    # A plan that was only considered says nothing.
    own = explained.get("keysExamined", 0) if explained.get("stage") == "IXSCAN" else 0
    return int(own) + _keys_examined(list(explained.values()))


async def test_an_old_version_is_found_without_a_walk_of_all_later_ones(
    large: Directory, raw: Raw, commands: Commands
) -> None:
    await large.post(f"{MODEL}/toggle", "root", id="m")
    toggled, many = _newest(raw), 500
    del toggled["size"]
    raw.revisions.insert_many(
        [{**toggled, "_id": f"{version:032x}", "version": Int64(version)} for version in range(3, many)]
    )
    raw.models.update_one({"_id": "m"}, {"$set": {"version": Int64(many - 1)}})
    await large.post(f"{MODEL}/update", "root", {"id": "m", "name": "Last"})
    commands.clear()
    compared = await large.get(f"{HISTORY}/diff", "root", id="m", earlier=2, later=many)
    assert [difference["path"] for difference in compared.json()] == ["/name", "/is_active"]
    [search, _] = [body for name, body in commands.on("revisions") if "$unionWith" in str(body.get("pipeline"))]
    command = {"aggregate": "revisions", "pipeline": search["pipeline"], "cursor": {}}
    assert _keys_examined(raw.command("explain", command, verbosity="executionStats")["stages"]) < 100
