"""Import and sync over HTTP: a set of models is imported as a whole with the caller's rights, or not at all."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from documents import ModelRecord, Revision
from documents.user import Role
from service.doctor import examine
from tests.support.directory import Directory, grant, model

IMPORT, SYNC, EXPORT, MODEL = "/api/models/import", "/api/models/sync", "/api/models/export", "/api/models/model"


async def _filled(directory: Directory, tmp_path: Path) -> None:
    for user in ("ann", "bob"):
        await directory.user(user)
    await directory.user("root", role=Role.ADMIN)
    models = [
        model("a1", "ann", params={"system": "one"}),
        model("shared", "ann", access_grants=[grant("user:bob", "write")]),
        model("readable", "ann", access_grants=[grant("user:bob")]),
        model("hidden", "ann"),
        model("b1", "bob", name="Bee"),
    ]
    await directory.load({"models": models}, tmp_path)


def _ids(plan: dict[str, Any], step: str) -> list[str]:
    return [one["id"] for one in plan[step]]


async def _state(directory: Directory) -> list[dict[str, Any]]:
    state: list[dict[str, Any]] = (await directory.get(EXPORT, "root")).json()
    return state


async def test_an_import_creates_and_updates(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    models = [{"id": "new", "name": "New", "meta": {"tags": ["t "]}}, {"id": "b1", "name": "Wasp"}, {"id": "shared"}]
    asked = (await directory.post(IMPORT, "bob", {"models": models}, dry_run=True)).json()
    answer = await directory.post(IMPORT, "bob", {"models": models})
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert asked == {**plan, "dry_run": True}
    assert (_ids(plan, "create"), plan["update"]) == (["new"], [{"id": "b1", "fields": ["name"]}])
    assert (_ids(plan, "unchanged"), plan["delete"], plan["dry_run"]) == (["shared"], [], False)
    assert plan["counts"] == {"create": 1, "update": 1, "unchanged": 1, "delete": 0}
    new = (await directory.get(MODEL, "bob", id="new")).json()
    assert (new["user_id"], new["meta"]["tags"], new["version"]) == ("bob", [{"name": "t"}], 1)
    assert await directory.ids("bob", query="wasp") == ["b1"]
    history = (await directory.get(f"{MODEL}/history", "bob", id="b1")).json()["items"][0]
    assert (history["change"], history["by"], history["version"]) == ("import", "bob", 2)


async def test_an_export_goes_in_again_without_a_change(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    before = await _state(directory)
    for path in (IMPORT, SYNC):
        plan = (await directory.post(path, "root", {"models": before})).json()
        assert plan["counts"] == {"create": 0, "update": 0, "unchanged": 5, "delete": 0}, path
    own = (await directory.get(EXPORT, "bob", id=["b1", "shared"])).json()
    assert (await directory.post(IMPORT, "bob", {"models": own})).json()["counts"]["unchanged"] == 2
    assert await _state(directory) == before


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("item", "loc", "msg"),
    [
        ({"id": "hidden", "name": "X"}, "id", "This model id is taken."),
        ({"id": "readable", "name": "X"}, "id", "You may read this model, but not change it."),
        ({"id": "shared", "access_grants": [grant("user:*")]}, "access_grants", "Only the owner of this model"),
        ({"id": "shared", "user_id": "bob"}, "user_id", "only admins may change the owner"),
        ({"id": "b1", "user_id": "ann"}, "user_id", "only admins may change the owner"),
        ({"id": "new", "name": "N", "user_id": "ann"}, "user_id", "only admins may create models for others"),
        ({"id": "new"}, "name", "must be given for a new model"),
        ({"id": "b1", "access_grants": [grant("user:nobody")]}, "access_grants", "there is no user 'nobody'"),
        ({"id": "b1", "params": {"x": "y" * 600_000}}, "id", "The record has"),
        ({"id": "b1", "meta": {"profile_image_url": "javascript:1"}}, "meta", "profile_image_url"),
        ({"id": "b1", "keys": {}}, "keys", "Extra inputs"),
        ({"id": "b1", "name": None}, "name", "must not be null"),
        ({"id": "ok", "name": "twice"}, "id", "is given twice, first at 0"),
    ],
)
async def test_models_that_cant_be_imported_are_named_and_nothing_is_written(
    directory: Directory, tmp_path: Path, item: dict[str, Any], loc: str, msg: str
) -> None:
    await _filled(directory, tmp_path)
    before = await _state(directory)
    answer = await directory.post(IMPORT, "bob", {"models": [{"id": "ok", "name": "Fine"}, item]})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["loc"] == ["body", "models", 1, loc]
    assert error["msg"].startswith(msg)
    assert await _state(directory) == before


async def test_every_fault_of_a_large_set_is_found(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    models: list[dict[str, Any]] = [{"id": f"m{number}", "name": "N"} for number in range(250)]
    models[3] = {"id": "hidden", "name": "N"}
    models[249] = {"id": "readable", "name": "N"}
    answer = await directory.post(IMPORT, "bob", {"models": models})
    assert [error["loc"][2] for error in answer.json()["errors"]] == [3, 249]
    assert await directory.database.count(ModelRecord, {}) == 5


async def test_the_compatibility_api_accepts_what_existing_clients_send(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    item = {
        "id": "new",
        "user_id": "ann",
        "base_model_id": "gpt",
        "name": "New",
        "params": None,
        "meta": {},
        "access_grants": None,
        "version_id": "v",
        "user": {"id": "ann"},
        "write_access": True,
        "commit_message": "c",
        "created_at": 1,
        "updated_at": 1,
    }
    answer = await directory.post("/api/v1/models/import", "bob", {"models": [item], "other": 1})
    assert (answer.status_code, answer.json()) == (200, True)
    new = (await directory.get(MODEL, "bob", id="new")).json()
    assert (new["user_id"], new["base_model_id"], new["params"]) == ("bob", "gpt", {})
    assert new["created_at"] > 1


async def test_a_sync_makes_the_directory_match(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    models = [
        {"id": "a1", "params": {"system": "two"}, "user_id": "bob"},
        {"id": "b1"},
        {"id": "shared", "access_grants": []},
        {"id": "new", "name": "New", "user_id": "ann"},
    ]
    body = {"models": models, "max_deletions": 2}
    planned = (await directory.post(SYNC, "root", {**body, "dry_run": True})).json()
    asked = (await directory.post(SYNC, "root", body, dry_run=True)).json()
    assert len(await _state(directory)) == 5
    done = (await directory.post(SYNC, "root", body)).json()
    assert {**planned, "dry_run": False} == done
    assert planned == asked
    assert done["update"] == [
        {"id": "a1", "fields": ["user_id", "params"]},
        {"id": "shared", "fields": ["access_grants"]},
    ]
    assert [_ids(done, step) for step in ("create", "unchanged", "delete")] == [["new"], ["b1"], ["hidden", "readable"]]
    assert [item["id"] for item in await _state(directory)] == ["a1", "b1", "new", "shared"]
    assert sorted(await directory.ids("bob")) == ["a1", "b1"]
    deleted = await directory.database.find(Revision, {"model_id": "hidden", "change": "sync"})
    assert [(revision["after"], revision["by"]) for revision in deleted] == [(None, "root")]
    again = (await directory.post(SYNC, "root", body)).json()
    assert again["counts"] == {"create": 0, "update": 0, "unchanged": 4, "delete": 0}
    assert (await examine(directory.database, repair=False)).problems == 0


@pytest.mark.parametrize(
    ("kept", "bound", "allowed"),
    [
        (9, {}, True),
        (8, {}, False),
        (8, {"max_deletions": 2}, True),
        (8, {"max_deletions": 1}, False),
        (5, {"max_deletions": "50%"}, True),
        (4, {"max_deletions": "50%"}, False),
        (10, {"max_deletions": 0}, True),
        (9, {"max_deletions": 0}, False),
    ],
)
async def test_a_sync_deletes_no_more_than_it_may(
    directory: Directory, tmp_path: Path, kept: int, bound: dict[str, Any], allowed: bool
) -> None:
    await directory.user("root", role=Role.ADMIN)
    await directory.load({"models": [model(f"m{number}", "root") for number in range(10)]}, tmp_path)
    body = {"models": [{"id": f"m{number}", "name": "Renamed"} for number in range(kept)], **bound}
    answer = await directory.post(SYNC, "root", body)
    assert answer.status_code == (200 if allowed else 422)
    names = {item["name"] for item in await _state(directory)}
    assert names == ({"Renamed"} if allowed else {f"Name of m{number}" for number in range(10)})
    if not allowed:
        assert answer.json()["errors"][0]["loc"] == ["body", "max_deletions"]
        dry = await directory.post(SYNC, "root", {**body, "dry_run": True})
        assert dry.json()["counts"]["delete"] == 10 - kept


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"models": []}, "models"),
        ({}, "models"),
        ({"models": [{"id": "a"}], "max_deletions": "101%"}, "max_deletions"),
        ({"models": [{"id": "a"}], "max_deletions": -1}, "max_deletions"),
        ({"models": [{"id": "a"}], "max_deletions": True}, "max_deletions"),
        ({"models": [{"id": "a"}], "dry_run": "yes"}, "dry_run"),
        ({"models": [{"id": "a"}], "surprise": 1}, "surprise"),
    ],
)
async def test_an_empty_set_and_bad_bodies_are_refused(
    directory: Directory, tmp_path: Path, body: dict[str, Any], loc: str
) -> None:
    await _filled(directory, tmp_path)
    answer = await directory.post(SYNC, "root", body)
    assert answer.status_code == 422
    assert loc in [error["loc"][1] for error in answer.json()["errors"]]
    assert len(await _state(directory)) == 5


async def test_a_large_body_of_very_many_values_is_refused_before_they_are_decoded(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await directory.user("ann")
    monkeypatch.setattr("service.http.json_body.MIN_BYTES_PER_VALUE", 800)
    body: dict[str, Any] = {
        "models": [{"id": "m", "name": "M", "params": {"a": [[]] * 1_000, "system": ",[{" * 400_000}}],
        "dry_run": True,
    }
    assert "at most 500,000 are allowed" in (await directory.post(IMPORT, "ann", body)).json()["detail"]
    body["models"][0]["params"]["a"] = [[]] * 20_000
    assert (await directory.post(IMPORT, "ann", body)).json()["errors"][0]["msg"] == "has more than 20,000 values"


async def test_a_sync_is_for_admins(directory: Directory, tmp_path: Path) -> None:
    await _filled(directory, tmp_path)
    answer = await directory.post(SYNC, "ann", {"models": []})
    assert (answer.status_code, answer.json()["detail"]) == (403, "Only admins may do this.")


async def test_two_syncs_at_once_leave_one_of_both_sets(directory: Directory) -> None:
    await directory.user("root", role=Role.ADMIN)
    sets = [[{"id": f"{name}{number}", "name": name} for number in range(120)] for name in ("left", "right")]
    for _ in range(3):
        answers = await asyncio.gather(
            *(directory.post(SYNC, "root", {"models": models, "max_deletions": "100%"}) for models in sets)
        )
        assert {answer.status_code for answer in answers} == {200}, [answer.text[:200] for answer in answers]
        names = [item["name"] for item in await _state(directory)]
        assert (len(names), len(set(names))) == (120, 1)
    assert (await examine(directory.database, repair=False)).problems == 0


async def test_a_failure_midway_leaves_nothing_behind(
    directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _filled(directory, tmp_path)
    before = await _state(directory)
    written, database = directory.database.write_many, directory.database

    async def failing(kind: Any, writes: Any) -> Any:
        done = await written(kind, writes)
        if kind is Revision and len(writes) < 100:
            raise RuntimeError("cut off")
        return done

    monkeypatch.setattr(database, "write_many", failing)
    models = [{"id": f"m{number}", "name": "N"} for number in range(150)]
    body = {"models": models, "max_deletions": "100%"}
    assert (await directory.post(SYNC, "root", body)).status_code == 500
    assert await _state(directory) == before


async def test_a_body_that_no_disk_has_room_for_is_refused_and_nothing_is_done(
    directory: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _filled(directory, tmp_path)
    before = await _state(directory)
    # Only bodies of more than a megabyte are written to a file.
    models = [{"id": f"large-{number}", "name": "Large", "params": {"system": "x" * 400_000}} for number in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
        answer = await directory.post(IMPORT, "bob", {"models": models})
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert "no room for a body of this size" in answer.json()["detail"]
        assert (await directory.post(IMPORT, "bob", {"models": models[:2]})).status_code == 200
    assert [one["id"] for one in await _state(directory) if one not in before] == ["large-0", "large-1"]
    assert (await directory.post(IMPORT, "bob", {"models": models})).json()["counts"]["create"] == 1
